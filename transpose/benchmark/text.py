"""Text of benchmarks."""

from collections.abc import Sequence

from transpose.benchmark.comparison import CandidateTiming, SpeedComparison
from transpose.benchmark.growth import Growth
from transpose.benchmark.loader import WorkersEstimate
from transpose.benchmark.report import BenchmarkReport, NetworkCost, SpeedChange, changes_since

_WIDTH = 48


def render_benchmark(benchmark: BenchmarkReport) -> str:
    """Return the machine, the size of the variants, and a table per comparison."""
    machine = benchmark.machine
    head = (
        f"{machine.get('device')} ({machine.get('cpu')}, {machine.get('cores')} cores), {benchmark.threads} thread(s),"
        f" torch {machine.get('torch')}, load {machine.get('load_average_1_min')}"
    )
    blocks = [head, *map(render_network, benchmark.networks), *map(render_comparison, benchmark.comparisons)]
    if benchmark.workers is not None:
        blocks.append(render_workers(benchmark.workers))
    if benchmark.growth is not None:
        blocks.append(render_growth(benchmark.growth))
    return "\n\n".join(blocks)


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
    lines = [f"{comparison.title}: medians of {comparison.rounds} interleaved rounds"]
    lines += [f"  peak, {dtype}: {peak / 1e9:,.0f} GFLOP/s" for dtype, peak in comparison.peaks.items()]
    lines += [_timing_line(comparison, timing) for timing in comparison.timings]
    return "\n".join([*lines, *([f"  {comparison.remark}"] if comparison.remark else [])])


def render_workers(workers: WorkersEstimate) -> str:
    """Return the computed samples per second of several loading processes."""
    lines = [f"  {name:<{_WIDTH}}{speed:12,.1f} samples/s" for name, speed in workers.per_second.items()]
    return "\n".join([f"Training samples with {workers.workers} loading processes: {workers.basis}", *lines])


def render_growth(growth: Growth) -> str:
    """Return time and memory of loader and evaluator at each number of persons."""
    loader = [
        f"  {one.persons:>9,} persons   built in {one.build_seconds:8.3f} s   {one.sample_microseconds:8,.0f} us/sample"
        f"   {one.parent_mb:8.1f} MB in the process   {one.worker_mb:6.1f} MB in a worker"
        for one in growth.loader
    ]
    evaluator = [
        f"  {one.persons:>9,} persons   {one.detections:>9,} results   {one.seconds:8.3f} s"
        f"   {one.memory_mb:8.1f} MB, plus {one.input_mb:,.1f} MB of input"
        for one in growth.evaluator
    ]
    return "\n".join(["Loader by number of persons", *loader, "Evaluator by number of persons", *evaluator])


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


def _timing_line(comparison: SpeedComparison, timing: CandidateTiming) -> str:
    columns = [
        f"  {timing.name:<{_WIDTH}}",
        f"{timing.per_second:12,.1f} {comparison.unit}/s",
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
