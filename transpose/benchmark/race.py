"""Several ways to do the same work, timed in turns, so that what else runs on the machine slows them alike."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pydantic import Field

from transpose.config.base import Settings
from transpose.config.training import Dtype

WARM_UP_ROUNDS = 1


@dataclass(frozen=True)
class Contender:
    """One way to do the work."""

    name: str
    run: Callable[[], object]
    """Does all of the work once and waits for its end, on whatever device."""
    operations: float | None = None
    """Floating-point operations of the work, two for a multiply-add, where its fraction of the peak is asked."""
    dtype: Dtype = "fp32"
    """The peak that it is measured by."""
    is_yardstick: bool = False
    """Dense matrix products that stand for the peak; no way to do the work."""


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
    fraction_of_peak: float | None = None
    """Of the yardstick's operations a second in this dtype."""
    peak_memory_bytes: int | None = None


class Race(Settings):
    """Ways to do one piece of work; the first is what the others are compared with."""

    title: str
    unit: str
    """What is counted, in the plural: persons, images, detections."""
    count: int
    """Units that each way works through in a round."""
    rounds: int
    laps: tuple[Lap, ...]
    peaks: dict[Dtype, float] = Field(default={})
    """Operations a second of the yardsticks."""
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
    timed = list(zip(contenders, seconds, strict=True))
    peaks: dict[Dtype, float] = {
        one.dtype: one.operations / statistics.median(times)
        for one, times in timed
        if one.is_yardstick and one.operations is not None
    }
    laps = [_lap(one, times, count, peaks) for one, times in timed if not one.is_yardstick]
    first = laps[0].median_seconds
    return Race(
        title=title,
        unit=unit,
        count=count,
        rounds=rounds,
        laps=tuple(lap.model_copy(update={"ratio": first / lap.median_seconds}) for lap in laps),
        peaks=peaks,
        remark=remark,
    )


def seconds_of(action: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _lap(contender: Contender, times: list[float], count: int, peaks: dict[Dtype, float]) -> Lap:
    median = statistics.median(times)
    fraction = None
    if contender.operations is not None and contender.dtype in peaks:
        fraction = contender.operations / median / peaks[contender.dtype]
    return Lap(
        name=contender.name,
        median_seconds=median,
        fastest_seconds=min(times),
        slowest_seconds=max(times),
        per_second=count / median,
        ratio=1.0,
        fraction_of_peak=fraction,
    )
