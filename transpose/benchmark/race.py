"""Several ways to do the same work, timed in turns, so that what else runs on the machine slows them alike."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from transpose.config.base import Settings

WARM_UP_ROUNDS = 1


@dataclass(frozen=True)
class Contender:
    """One way to do the work."""

    name: str
    run: Callable[[], object]
    """Does all of the work once and waits for its end, on whatever device."""


class Lap(Settings):
    """What one way took."""

    name: str
    median_seconds: float
    fastest_seconds: float
    slowest_seconds: float
    per_second: float
    """Units of the race, from the median."""
    ratio: float
    """Times the speed of the race's first way; medians of one interleaved run."""


class Race(Settings):
    """Ways to do one piece of work; the first is what the others are compared with."""

    title: str
    unit: str
    """What is counted, in the plural: persons, images, detections."""
    count: int
    """Units that each way works through in a round."""
    rounds: int
    laps: tuple[Lap, ...]
    remark: str = ""
    """What a reader has to know to understand the numbers."""


def race(title: str, unit: str, count: int, contenders: Sequence[Contender], rounds: int, remark: str = "") -> Race:
    """Time the contenders in turns, a round of all of them at a time, after a warm-up.

    Args:
        unit: what is counted, in the plural.
        count: units that each contender works through.
    """
    seconds = [[] for _ in contenders]
    for number in range(WARM_UP_ROUNDS + rounds):
        for contender, times in zip(contenders, seconds, strict=True):
            taken = seconds_of(contender.run)
            if number >= WARM_UP_ROUNDS:
                times.append(taken)
    medians = [statistics.median(times) for times in seconds]
    return Race(
        title=title,
        unit=unit,
        count=count,
        rounds=rounds,
        laps=tuple(
            Lap(
                name=contender.name,
                median_seconds=median,
                fastest_seconds=min(times),
                slowest_seconds=max(times),
                per_second=count / median,
                ratio=medians[0] / median,
            )
            for contender, times, median in zip(contenders, seconds, medians, strict=True)
        ),
        remark=remark,
    )


def seconds_of(action: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start
