"""Means over keypoints with bootstrap intervals over images, since keypoints of one image are not independent."""

import math
from functools import lru_cache

import numpy as np

from transpose.config.base import Settings
from transpose.evaluation.report import Bootstrap


class Estimate(Settings):
    """A mean and its percentile interval; None if there are no values."""

    value: float | None
    low: float | None
    high: float | None
    count: int
    """Number of values, one per keypoint of a person unless stated otherwise."""
    images: int
    """Number of images that the values come from."""


def estimate(values: np.ndarray, image_ids: np.ndarray, bootstrap: Bootstrap) -> Estimate:
    """Return the mean of values [P, ...] of P persons without NaN; the interval resamples images [P]."""
    sums, counts = image_totals(values.reshape(len(values), math.prod(values.shape[1:])), image_ids)
    sums, counts = sums.sum(axis=1), counts.sum(axis=1)
    return estimate_of_draws(sums, counts, resampled_means(sums, counts, bootstrap), bootstrap)


def estimate_of_draws(sums: np.ndarray, counts: np.ndarray, drawn: np.ndarray, bootstrap: Bootstrap) -> Estimate:
    """Return the mean from sums and counts [I] of images, with the interval of its resamples [S]."""
    count = int(counts.sum())
    value = float(sums.sum() / count) if count else None
    low, high = interval_of(drawn, bootstrap)
    return Estimate(value=value, low=low, high=high, count=count, images=int((counts > 0).sum()))


def interval_of(drawn: np.ndarray, bootstrap: Bootstrap) -> tuple[float | None, float | None]:
    """Return the percentile interval of the finite resamples [S]; None if there are none."""
    finite = drawn[np.isfinite(drawn)]
    if not len(finite):
        return None, None
    tail = (1 - bootstrap.level) / 2
    low, high = np.quantile(finite, (tail, 1 - tail)).tolist()
    return low, high


def image_totals(values: np.ndarray, image_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sums and counts of the finite values [P, M] per image: [I, M] each, images in ascending order of id."""
    images, place = np.unique(image_ids, return_inverse=True)
    finite = np.isfinite(values)
    sums, counts = np.zeros((len(images), values.shape[1])), np.zeros((len(images), values.shape[1]))
    np.add.at(sums, place, np.where(finite, values, 0.0))
    np.add.at(counts, place, finite)
    return sums, counts


def resampled_means(sums: np.ndarray, counts: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Return means [samples, ...] over resampled images from sums and counts [I, ...]; NaN if a sample has no value."""
    if not len(sums):
        return np.full((bootstrap.samples, *sums.shape[1:]), np.nan)
    weights = image_resamples(len(sums), bootstrap).astype(np.float64)
    # Matrix products are fast in floating point only; counts stay exact.
    total, number = (np.tensordot(weights, values.astype(np.float64), axes=1) for values in (sums, counts))
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)


def image_resamples(images: int, bootstrap: Bootstrap) -> np.ndarray:
    """Return [samples, I] int64: how often each resample contains each image; read-only, because it is cached."""
    return _drawn(images, bootstrap.samples, bootstrap.seed)


@lru_cache(maxsize=2)
def _drawn(images: int, samples: int, seed: int) -> np.ndarray:
    drawn = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=samples)
    drawn.flags.writeable = False
    return drawn
