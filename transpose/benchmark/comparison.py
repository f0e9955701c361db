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
class Candidate:
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


class CandidateTiming(Settings):
    """What one way took."""

    name: str
    median_seconds: float
    fastest_seconds: float
    slowest_seconds: float
    per_second: float
    """Units of the comparison, from the median."""
    ratio: float
    """Times the speed of the comparison's first way; medians of one interleaved run."""
    fraction_of_peak: float | None = None
    """Of the matrix product's operations a second in this dtype."""
    peak_memory_bytes: int | None = None


class SpeedComparison(Settings):
    """Ways to do one piece of work; the first is what the others are compared with."""

    title: str
    unit: str
    """What is counted, in the plural: persons, images, detections."""
    count: int
    """Units that each way works through in a round."""
    rounds: int
    timings: tuple[CandidateTiming, ...]
    peaks: dict[Dtype, float] = Field(default={})
    """Operations a second of the gemm_peaks."""
    remark: str = ""
    """What a reader has to know to understand the numbers."""


def compare_speed(
    title: str, unit: str, count: int, candidates: Sequence[Candidate], rounds: int, remark: str = ""
) -> SpeedComparison:
    """Time the candidates in turns, a round of all of them at a time, after a warm-up.

    Args:
        unit: what is counted, in the plural.
        count: units that each candidate works through.
    """
    seconds = [[] for _ in candidates]
    for number in range(WARM_UP_ROUNDS + rounds):
        for candidate, times in zip(candidates, seconds, strict=True):
            taken = seconds_of(candidate.run)
            if number >= WARM_UP_ROUNDS:
                times.append(taken)
    timed = list(zip(candidates, seconds, strict=True))
    peaks: dict[Dtype, float] = {
        one.dtype: one.operations / statistics.median(times)
        for one, times in timed
        if one.is_yardstick and one.operations is not None
    }
    timings = [_timing(one, times, count, peaks) for one, times in timed if not one.is_yardstick]
    first = timings[0].median_seconds
    return SpeedComparison(
        title=title,
        unit=unit,
        count=count,
        rounds=rounds,
        timings=tuple(timing.model_copy(update={"ratio": first / timing.median_seconds}) for timing in timings),
        peaks=peaks,
        remark=remark,
    )


def seconds_of(action: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _timing(candidate: Candidate, times: list[float], count: int, peaks: dict[Dtype, float]) -> CandidateTiming:
    median = statistics.median(times)
    fraction = None
    if candidate.operations is not None and candidate.dtype in peaks:
        fraction = candidate.operations / median / peaks[candidate.dtype]
    return CandidateTiming(
        name=candidate.name,
        median_seconds=median,
        fastest_seconds=min(times),
        slowest_seconds=max(times),
        per_second=count / median,
        ratio=1.0,
        fraction_of_peak=fraction,
    )
