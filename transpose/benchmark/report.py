"""What a benchmark found: all races, and the machine that they were run on."""

from pathlib import Path

from transpose.benchmark.growth import Growth
from transpose.benchmark.loader import WorkersEstimate
from transpose.benchmark.race import Lap, Race
from transpose.config.base import Settings
from transpose.config.load import read_record
from transpose.cost import Operations, Parameters


class NetworkCost(Settings):
    """What a variant is made of."""

    title: str
    input_size: tuple[int, int]
    parameters: Parameters
    operations: Operations


class Benchmark(Settings):
    """Everything measured by one call."""

    machine: dict[str, str]
    threads: int
    networks: tuple[NetworkCost, ...]
    races: tuple[Race, ...]
    workers: WorkersEstimate | None = None
    """Of the loader's race."""
    growth: Growth | None = None


class Change(Settings):
    """One lap beside the same one of an earlier benchmark."""

    race: str
    lap: str
    earlier_per_second: float
    per_second: float

    @property
    def ratio(self) -> float:
        """Times the earlier speed."""
        return self.per_second / self.earlier_per_second


def read_benchmark(path: Path) -> Benchmark:
    """Read what an earlier call wrote.

    Raises:
        InputError: the file is missing or is no benchmark.
    """
    return read_record(Benchmark, path)


def changes_since(earlier: Benchmark, now: Benchmark) -> list[Change]:
    """Laps of both benchmarks, in the order of the present one; what only one of them has is left out."""
    before = {(race.title, lap.name): lap for race, lap in _laps(earlier)}
    return [
        Change(
            race=race.title,
            lap=lap.name,
            earlier_per_second=before[race.title, lap.name].per_second,
            per_second=lap.per_second,
        )
        for race, lap in _laps(now)
        if (race.title, lap.name) in before
    ]


def _laps(benchmark: Benchmark) -> list[tuple[Race, Lap]]:
    return [(race, lap) for race in benchmark.races for lap in race.laps]
