"""Text of a benchmark and of its changes."""

from collections.abc import Sequence

from transpose.benchmark.comparison import CandidateTiming, SpeedComparison
from transpose.benchmark.report import BenchmarkReport, NetworkCost, SpeedChange, changes_since

_WIDTH = 48


def render_benchmark(benchmark: BenchmarkReport) -> str:
    """Return the machine, the size of the variants, and a table per comparison."""
    machine = benchmark.machine
    head = (
        f"{machine.get('device')} ({machine.get('cpu')}, {machine.get('cores')} cores), {benchmark.threads} thread(s),"
        f" torch {machine.get('torch')}, load {machine.get('load_average_1_min')}"
    )
    return "\n\n".join([head, *map(render_network, benchmark.networks), *map(render_comparison, benchmark.comparisons)])


def render_network(network: NetworkCost) -> str:
    """Return parameters, and multiply-accumulates in both conventions."""
    parameters, operations = network.parameters, network.operations
    published = f"{operations.macs_as_published / 1e9:.3f}"
    height, width = network.input_size
    return "\n".join(
        (
            f"{network.title}, input {height}x{width}",
            f"  parameters   {parameters.total:,}, {parameters.fixed_position_embedding:,} of them in a fixed position"
            f" embedding; {parameters.trainable:,} trainable",
            f"  GMACs        {operations.macs / 1e9:.3f}; counted as in the paper: {published}",
        )
    )


def render_comparison(comparison: SpeedComparison) -> str:
    """Return speed, speed relative to the first, fraction of the peak and memory of each candidate."""
    clock = "processor time, " if comparison.processor_time else ""
    lines = [f"{comparison.title}: {clock}medians of {comparison.rounds} interleaved rounds"]
    lines += [f"  peak, {dtype}: {peak / 1e9:,.0f} GFLOP/s" for dtype, peak in comparison.peaks.items()]
    return "\n".join([*lines, *map(_timing_line, comparison.timings)])


def render_changes(earlier: BenchmarkReport, now: BenchmarkReport) -> str:
    """Return each speed relative to the earlier benchmark, and a warning if machines or threads differ."""
    changes = changes_since(earlier, now)
    different = [key for key in ("cores", "cpu", "device", "torch") if earlier.machine.get(key) != now.machine.get(key)]
    if earlier.threads != now.threads:
        different.append("threads")
    lines = ["relative to the earlier benchmark"]
    if different:
        lines.append(f"  not the same {', '.join(different)}: ratios include this difference")
    return "\n".join([*lines, *_change_lines(changes)])


def _timing_line(timing: CandidateTiming) -> str:
    columns = [
        f"  {timing.name:<{_WIDTH}}",
        f"{timing.per_second:12,.1f} images/s",
        f"{timing.ratio:8.2f} x",
    ]
    if timing.fraction_of_peak is not None:
        columns.append(f"{100 * timing.fraction_of_peak:5.0f} % of peak")
    if timing.peak_memory_bytes is not None:
        columns.append(f"{timing.peak_memory_bytes / 2**20:8,.0f} MiB")
    return " ".join(columns)


def _change_lines(changes: Sequence[SpeedChange]) -> list[str]:
    if not changes:
        return ["  no common timings"]
    return [f"  {change.comparison}: {change.timing:<{_WIDTH}}{change.ratio:8.2f} x" for change in changes]
