"""A cost report as text."""

from transpose.cost import CostReport

_MEMORY = {"cuda_allocated": "peak CUDA memory", "process_resident": "peak memory of the process"}


def render_cost(title: str, report: CostReport) -> str:
    """Parameters, multiply-accumulates in both conventions, and times with the machine that they belong to."""
    parameters, operations, machine = report.parameters, report.operations, report.machine
    height, width = report.input_size
    lines = [
        f"{title}, input {height}x{width}",
        f"  parameters   {parameters.total:,} with {parameters.fixed_position_embedding:,} of a fixed position"
        f" embedding; {parameters.trainable:,} trained",
        f"  GMACs        {operations.macs / 1e9:.3f}; as the paper counts: {operations.macs_as_published / 1e9:.3f}",
        f"  measured on  {machine.get('device')} ({machine.get('cpu')}), {report.threads} thread(s), {report.dtype},"
        f" torch {machine.get('torch')}, load {machine.get('load_average_1_min')}",
    ]
    lines += [
        f"  batch {timing.batch_size:<6} {timing.images_per_second:.1f} images/s;"
        f" median {1e3 * timing.median_seconds:.1f} ms of {timing.repeats}"
        f" ({1e3 * timing.fastest_seconds:.1f} to {1e3 * timing.slowest_seconds:.1f});"
        f" {_MEMORY[report.memory_kind]} {timing.peak_memory_bytes / 2**20:.0f} MiB"
        for timing in report.timings
    ]
    return "\n".join(lines)
