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
    run: Callable[[], float | None]
    """Does the work once and waits until the device has finished; returns the processor seconds of all threads."""
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
    processor_time: bool = False
    """Whether seconds are processor seconds of all threads, instead of elapsed ones."""
    timings: tuple[CandidateTiming, ...]
    peaks: dict[Dtype, float] = Field(default={})
    """Operations per second of the matrix products, by dtype."""


def compare_speed(
    title: str, images: int, candidates: Sequence[Candidate], rounds: int, processor_time: bool = False
) -> SpeedComparison:
    """Time the candidates in interleaved rounds after a warm-up.

    Args:
        images: images that each candidate processes per round.
        processor_time: compare processor seconds, which every candidate must return.
    """
    seconds = [[] for _ in candidates]
    for number in range(WARM_UP_ROUNDS + rounds):
        for candidate, times in zip(candidates, seconds, strict=True):
            elapsed, processor = _seconds(candidate.run)
            if number >= WARM_UP_ROUNDS:
                times.append(processor if processor_time and processor is not None else elapsed)
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
        processor_time=processor_time,
        timings=tuple(timing.model_copy(update={"ratio": first / timing.median_seconds}) for timing in timings),
        peaks=peaks,
    )


def _seconds(run: Callable[[], float | None]) -> tuple[float, float | None]:
    """Return elapsed and processor seconds of a candidate."""
    start = time.perf_counter()
    processor = run()
    return time.perf_counter() - start, processor


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
