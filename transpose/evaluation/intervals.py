"""Confidence intervals over images and trainings, computed from resamples of the images."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from pydantic import PrivateAttr

from transpose.config.base import Settings

LEVEL = 0.95
"""Confidence level of the tables."""

POWER = 0.8
"""Probability with which the needed trainings or images would give a clear difference."""

RESAMPLES = "resamples"
"""Name of the array that `draws_of` returns in the .npz file of a report."""

_MOST_TRAININGS = 1000
_MOST_TIMES_THE_IMAGES = 1000

Block = TypeVar("Block", bound=Settings)


class Estimate(Settings):
    """An estimate and its interval; None if there are no values, and no interval from a single image."""

    value: float | None
    low: float | None
    high: float | None
    count: int
    """Number of values, one per keypoint of a person unless stated otherwise."""
    images: int
    """Number of images that the values come from."""
    trainings: int = 1
    """Number of trainings that the estimate is the mean of; with one, the interval is over images only."""
    _draws: np.ndarray | None = PrivateAttr(default=None)

    def __eq__(self, other: object) -> bool:
        # Without the resamples, which a file of estimates does not contain.
        return isinstance(other, Estimate) and self.model_dump() == other.model_dump()

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    @property
    def draws(self) -> np.ndarray | None:
        """The estimate in each resample of the images [S] float64, NaN where undefined; None if not known."""
        return self._draws

    def with_draws(self, draws: np.ndarray) -> "Estimate":
        """Return a copy with resamples [S]."""
        copy = self.model_copy()
        copy._draws = draws
        return copy


@dataclass(frozen=True)
class Spread:
    """How the mean of a quantity over T trainings varies with images and trainings.

    The values are those of a random-effects model with crossed images and trainings.
    """

    images: int
    """I."""
    trainings: int
    """T."""
    shared: float
    """Variance of the mean from the images, as far as it is common to all trainings."""
    own: float
    """Variance of a single training's value from the images beyond `shared`; 0 with one training."""
    between: float
    """Variance of the values between trainings on the same images, including `own`; 0 with one training."""

    def half_width(self, level: float, images: float, trainings: int) -> float:
        """Return half the width of the interval with other numbers of images and trainings."""
        of_images, of_trainings = self._squared_halves(level, images, trainings)
        return math.sqrt(of_images + of_trainings)

    def half_widths(self, level: float) -> tuple[float, float]:
        """Return the parts of half the width that come from the images and from the trainings.

        Each is what the half-width would be without the other; their squares add up to that of the whole.
        """
        of_images, of_trainings = self._squared_halves(level, self.images, self.trainings)
        return math.sqrt(of_images), math.sqrt(of_trainings)

    def would_be_clear(self, difference: float, level: float, images: float, trainings: int) -> bool:
        """Return whether the interval of a true difference would exclude 0 with probability `POWER`.

        That is so if |difference| is at least the half-width plus the `POWER` quantile of the normal distribution times
        the standard error.
        """
        standard_error = math.sqrt(sum(self._variances(images, trainings)))
        normal = 0.8416212335729143
        return abs(difference) >= self.half_width(level, images, trainings) + normal * standard_error

    def _squared_halves(self, level: float, images: float, trainings: int) -> tuple[float, float]:
        of_images, of_trainings = self._variances(images, trainings)
        of_images *= _t_quantile(level, self.images - 1) ** 2
        of_trainings *= _t_quantile(level, trainings - 1) ** 2 if trainings > 1 else 0.0
        return of_images, of_trainings

    def _variances(self, images: float, trainings: int) -> tuple[float, float]:
        fewer = self.images / images
        # The estimate of `between` can be smaller than that of `own`, its part.
        return self.shared * fewer, max(self.between - self.own * (1 - fewer), 0.0) / trainings


@dataclass(frozen=True)
class Needed:
    """Numbers of trainings and of images that would each make a difference clear; None if no number would."""

    trainings: int | None
    """With the present images. None with one training, from which the spread between trainings is unknown."""
    images: int | None
    """With the present trainings."""


@dataclass(frozen=True)
class Resamples:
    """A quantity of T trainings on the same I images and on S resamples of them, which all trainings share.

    The estimate is the mean over the trainings, and its interval is of the same mean:

    - It is centred on the estimate minus the bootstrap's estimate of its bias (Efron and Tibshirani 1993, An
      Introduction to the Bootstrap, chapter 10). Rank correlations need this: noise lowers them, and resampling adds
      noise. It is extended to contain the estimate.
    - Its half-width is sqrt(t(I-1)^2 v_images + t(T-1)^2 v_trainings / T). v_images is the covariance of the resamples
      of two trainings, v_trainings the variance of the values between trainings, which includes the images' effect on a
      single training, and t the quantiles of Student's distribution. Adding squared half-widths is the method of
      variance estimates recovery (Zou and Donner 2008, Statistics in Medicine 27). Quantiles of resampled trainings
      would be far too narrow: two to five trainings are too few for them.
    - With one training, the interval is over images only.
    """

    values: np.ndarray
    """[T] float64; NaN if undefined."""
    draws: np.ndarray
    """[T, S] float64; NaN if undefined."""
    images: int
    """I: number of images with values."""

    @classmethod
    def joined(cls, trainings: Sequence["Resamples"]) -> "Resamples":
        """Return the resamples of several trainings, which must share their resampled images."""
        return cls(
            np.concatenate([one.values for one in trainings]),
            np.concatenate([one.draws for one in trainings]),
            max(one.images for one in trainings),
        )

    def minus(self, other: "Resamples") -> "Resamples":
        """Return the differences of paired trainings on the same images."""
        return Resamples(self.values - other.values, self.draws - other.draws, min(self.images, other.images))

    @property
    def trainings(self) -> int:
        """Number of trainings."""
        return len(self.values)

    @property
    def value(self) -> float | None:
        """The mean over trainings; None if it is undefined for one."""
        mean = float(self.values.mean())
        return mean if math.isfinite(mean) else None

    def interval(self, level: float = LEVEL) -> tuple[float, float] | None:
        """Return (low, high); None without a value, with a single image, or with less than two defined resamples."""
        value, spread, draws = self.value, self.spread(), self._defined()
        if value is None or spread is None:
            return None
        centre = 2 * value - float(draws.mean())
        half = spread.half_width(level, spread.images, spread.trainings)
        return min(value, centre - half), max(value, centre + half)

    def interval_of_fraction(self, level: float = LEVEL) -> tuple[float, float] | None:
        """Return `interval` for a quantity in [0, 1], with its half-width on the logit scale (by the delta method).

        Near 0 and 1 the estimates are skewed, and their standard error falls towards the limit. On the logit scale they
        are less so, and the interval stays within the limits.
        """
        interval, value = self.interval(level), self.value
        if interval is None or value is None:
            return None
        low, high = interval
        centre, half = (low + high) / 2, (high - low) / 2
        if not half or not 0 < centre < 1:
            return max(low, 0.0), min(high, 1.0)
        on_logit_scale = half / (centre * (1 - centre))
        logit = math.log(centre / (1 - centre))
        low, high = ((1 + math.tanh((logit + sign * on_logit_scale) / 2)) / 2 for sign in (-1, 1))
        return min(value, low), max(value, high)

    def spread(self) -> Spread | None:
        """Return the components of variance; None where there is no interval."""
        draws, count = self._defined(), self.trainings
        if self.value is None or self.images < 2 or draws.shape[1] < 2:
            return None
        # The bootstrap's variance of a mean of I images is too small by this factor.
        covariances = np.atleast_2d(np.cov(draws)) * self.images / (self.images - 1)
        alone = float(np.trace(covariances)) / count
        if count == 1:
            return Spread(self.images, 1, shared=alone, own=0.0, between=0.0)
        shared = max((float(covariances.sum()) / count - alone) / (count - 1), 0.0)
        return Spread(self.images, count, shared, max(alone - shared, 0.0), float(self.values.var(ddof=1)))

    def needed(self, level: float = LEVEL) -> Needed:
        """Return how many trainings or images would make a true difference of the size of the value clear."""
        value, spread = self.value, self.spread()
        if value is None or spread is None:
            return Needed(None, None)
        several = range(2, _MOST_TRAININGS + 1) if spread.trainings > 1 else ()
        trainings = (count for count in several if spread.would_be_clear(value, level, spread.images, count))
        sizes = np.geomspace(2, _MOST_TIMES_THE_IMAGES * spread.images, 2000).tolist()
        images = (size for size in sizes if spread.would_be_clear(value, level, size, spread.trainings))
        return Needed(next(trainings, None), _rounded_up(next(images, None)))

    def _defined(self) -> np.ndarray:
        """Return the resamples [T, S'] that are defined for all trainings."""
        return self.draws[:, np.isfinite(self.draws).all(axis=0)]


def estimate_of(resamples: Resamples, count: int, level: float) -> Estimate:
    """Return the estimate of one training; `count` is the number of values."""
    low, high = resamples.interval(level) or (None, None)
    found = Estimate(value=resamples.value, low=low, high=high, count=count, images=resamples.images)
    return found.with_draws(resamples.draws[0])


def estimates_in(block: object) -> Iterator[Estimate]:
    """Yield the estimates in a report, in the order of its fields."""
    if isinstance(block, Estimate):
        yield block
    elif isinstance(block, Settings):
        for name in type(block).model_fields:
            yield from estimates_in(getattr(block, name))
    elif isinstance(block, tuple):
        for item in block:
            yield from estimates_in(item)


def draws_of(report: Settings) -> np.ndarray:
    """Return the resamples [E, S] float32 of all E estimates of a report; NaN where there are none."""
    draws = [estimate.draws for estimate in estimates_in(report)]
    samples = max((len(one) for one in draws if one is not None), default=0)
    nothing = np.full(samples, np.nan)
    return np.array([nothing if one is None else one for one in draws], dtype=np.float32).reshape(len(draws), samples)


def with_draws(report: Block, draws: np.ndarray) -> Block:
    """Return a copy of a report with the resamples [E, S] of its E estimates, the inverse of `draws_of`.

    Raises:
        ValueError: the number of estimates differs.
    """
    rows = iter(draws.astype(np.float64))

    def attached(block: Any) -> Any:
        if isinstance(block, Estimate):
            return block.with_draws(next(rows))
        if isinstance(block, Settings):
            return block.model_copy(update={name: attached(getattr(block, name)) for name in type(block).model_fields})
        return tuple(map(attached, block)) if isinstance(block, tuple) else block

    if len(draws) != sum(1 for _ in estimates_in(report)):
        raise ValueError("another number of estimates")
    return attached(report)


def _t_quantile(level: float, freedom: float) -> float:
    from scipy.special import stdtrit  # tables without intervals do not wait for SciPy

    return float(stdtrit(freedom, (1 + level) / 2))


def _rounded_up(number: float | None) -> int | None:
    """Round up to two significant digits."""
    if number is None:
        return None
    unit = 10 ** max(math.floor(math.log10(number)) - 1, 0)
    return math.ceil(number / unit) * unit
