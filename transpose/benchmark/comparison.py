"""Compare the speed of several forms of a network; rounds are interleaved so that other load affects all equally."""

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
    """One form of the network at work."""

    name: str
    run: Callable[[], object]
    """Does the work once and waits until the device has finished."""
    operations: float | None = None
    """Floating-point operations of the work, two per multiply-add; needed for its fraction of the peak."""
    dtype: Dtype = "fp32"
    """Dtype of the peak that it is compared with."""
    is_gemm_peak: bool = False
    """Dense matrix products that measure the peak; not a candidate."""


class CandidateTiming(Settings):
    """Times of one candidate."""

    name: str
    median_seconds: float
    fastest_seconds: float
    slowest_seconds: float
    per_second: float
    """Images per second, from the median."""
    ratio: float
    """Speed relative to the first candidate, from medians."""
    fraction_of_peak: float | None = None
    """Fraction of the operations per second of the matrix product in this dtype."""
    peak_memory_bytes: int | None = None


class SpeedComparison(Settings):
    """Timings of all candidates; the first is the baseline."""

    title: str
    images: int
    """Images that each candidate processes per round."""
    rounds: int
    timings: tuple[CandidateTiming, ...]
    peaks: dict[Dtype, float] = Field(default={})
    """Operations per second of the matrix products, by dtype."""


def compare_speed(title: str, images: int, candidates: Sequence[Candidate], rounds: int) -> SpeedComparison:
    """Time the candidates in interleaved rounds after a warm-up.

    Args:
        images: images that each candidate processes per round.
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
        if one.is_gemm_peak and one.operations is not None
    }
    timings = [_timing(one, times, images, peaks) for one, times in timed if not one.is_gemm_peak]
    first = timings[0].median_seconds
    return SpeedComparison(
        title=title,
        images=images,
        rounds=rounds,
        timings=tuple(timing.model_copy(update={"ratio": first / timing.median_seconds}) for timing in timings),
        peaks=peaks,
    )


def seconds_of(action: Callable[[], object]) -> float:
    """Return the wall-clock seconds of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _timing(candidate: Candidate, times: list[float], images: int, peaks: dict[Dtype, float]) -> CandidateTiming:
    median = statistics.median(times)
    fraction = None
    if candidate.operations is not None and candidate.dtype in peaks:
        fraction = candidate.operations / median / peaks[candidate.dtype]
    return CandidateTiming(
        name=candidate.name,
        median_seconds=median,
        fastest_seconds=min(times),
        slowest_seconds=max(times),
        per_second=images / median,
        ratio=1.0,
        fraction_of_peak=fraction,
    )
