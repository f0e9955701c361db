"""Record of a benchmark: all comparisons and the machine."""

from pathlib import Path

from transpose.benchmark.comparison import CandidateTiming, SpeedComparison
from transpose.config.base import Settings
from transpose.config.cost_report import Operations, Parameters
from transpose.config.load import read_record


class NetworkCost(Settings):
    """Parameters and operations of a variant."""

    title: str
    input_size: tuple[int, int]
    parameters: Parameters
    operations: Operations


class BenchmarkReport(Settings):
    """All measurements of one call."""

    machine: dict[str, str]
    threads: int
    networks: tuple[NetworkCost, ...]
    comparisons: tuple[SpeedComparison, ...]


class SpeedChange(Settings):
    """A timing and the same timing of an earlier benchmark."""

    comparison: str
    timing: str
    earlier_per_second: float
    per_second: float

    @property
    def ratio(self) -> float:
        """Speed relative to the earlier benchmark."""
        return self.per_second / self.earlier_per_second


def read_benchmark(path: Path) -> BenchmarkReport:
    """Read the record of an earlier benchmark.

    Raises:
        InputError: the file is missing or is not a benchmark.
    """
    return read_record(BenchmarkReport, path)


def changes_since(earlier: BenchmarkReport, now: BenchmarkReport) -> list[SpeedChange]:
    """Return the changes of timings that both benchmarks have, in the order of the present one."""
    before = {(comparison.title, timing.name): timing for comparison, timing in _timings(earlier)}
    return [
        SpeedChange(
            comparison=comparison.title,
            timing=timing.name,
            earlier_per_second=before[comparison.title, timing.name].per_second,
            per_second=timing.per_second,
        )
        for comparison, timing in _timings(now)
        if (comparison.title, timing.name) in before
    ]


def _timings(benchmark: BenchmarkReport) -> list[tuple[SpeedComparison, CandidateTiming]]:
    return [(comparison, timing) for comparison in benchmark.comparisons for timing in comparison.timings]
