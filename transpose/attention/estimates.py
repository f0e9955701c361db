"""Values of keypoints, and their means with intervals.

Intervals are over images, since keypoints of one image are not independent.
"""

import math
from functools import lru_cache

import numpy as np

from transpose.config.bootstrap import Bootstrap
from transpose.evaluation.intervals import Estimate, Resamples, estimate_of

HIDDEN, SEEN = 1, 2
"""COCO visibility flags of occluded and visible keypoints."""


class PerturbationResults:
    """Results for P persons' K keypoints, by perturbation; NaN where none was applied."""

    def __init__(self, image_ids: np.ndarray, keypoints: int) -> None:
        self.image_ids = image_ids
        """[P] int64."""
        self.keypoints = keypoints
        """K."""
        self._values: dict[tuple[str, ...], np.ndarray] = {}

    def record(self, key: tuple[str, ...], person: int, keypoints: np.ndarray, values: np.ndarray) -> None:
        """Store values [J, ...] of a person's keypoints [J]."""
        if key not in self._values:
            self._values[key] = np.full((len(self.image_ids), self.keypoints, *values.shape[1:]), np.nan)
        self._values[key][person, keypoints] = values

    def at(self, *key: str, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Return values [P, K, *shape] of a key, all NaN if nothing was recorded."""
        nothing = np.full((len(self.image_ids), self.keypoints, *shape), np.nan)
        return self._values.get(key, nothing)

    def of(self, *prefix: str) -> dict[tuple[str, ...], np.ndarray]:
        """Return values [P, K, ...] of all keys with a prefix, by the rest of the key, in order of insertion."""
        length = len(prefix)
        return {key[length:]: values for key, values in self._values.items() if key[:length] == prefix}


def estimate(values: np.ndarray, image_ids: np.ndarray, bootstrap: Bootstrap) -> Estimate:
    """Return the mean of values [P, ...] of P persons without NaN; the interval is over images [P]."""
    sums, counts = image_totals(values.reshape(len(values), math.prod(values.shape[1:])), image_ids)
    sums, counts = sums.sum(axis=1), counts.sum(axis=1)
    return estimate_of_samples(resampled_means(sums, counts, bootstrap), counts, bootstrap)


def estimate_of_samples(samples: np.ndarray, counts: np.ndarray, bootstrap: Bootstrap) -> Estimate:
    """Return the estimate of a statistic [1 + S] of `image_samples`, with the numbers of values [I] of the images."""
    return estimate_of(resamples_of(samples, counts), int(counts.sum()), bootstrap.level)


def resamples_of(samples: np.ndarray, counts: np.ndarray) -> Resamples:
    """Return the resamples of a statistic; see `estimate_of_samples`."""
    return Resamples(samples[:1], samples[None, 1:], int((counts > 0).sum()))


def image_totals(values: np.ndarray, image_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sums and counts of the finite values [P, M] per image: [I, M] each, images in ascending order of id."""
    images, place = np.unique(image_ids, return_inverse=True)
    finite = np.isfinite(values)
    sums, counts = np.zeros((len(images), values.shape[1])), np.zeros((len(images), values.shape[1]))
    np.add.at(sums, place, np.where(finite, values, 0.0))
    np.add.at(counts, place, finite)
    return sums, counts


def resampled_means(sums: np.ndarray, counts: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Return means [1 + S, ...] of `image_samples` from sums and counts [I, ...]; NaN if a sample has no value."""
    if not len(sums):
        return np.full((1 + bootstrap.samples, *sums.shape[1:]), np.nan)
    weights = image_samples(len(sums), bootstrap).astype(np.float64)
    # Matrix products are fast in floating point only; counts stay exact.
    total, number = (np.tensordot(weights, values.astype(np.float64), axes=1) for values in (sums, counts))
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)


def image_samples(images: int, bootstrap: Bootstrap) -> np.ndarray:
    """Return [1 + S, I] int64: how often each of S resamples contains each image, after a first row of ones.

    A statistic of all rows has the estimate first, so that estimate and resamples are of the same quantity. The array
    is read-only, because it is cached.
    """
    return _drawn(images, bootstrap.samples, bootstrap.seed)


def hidden_minus_seen(
    values: np.ndarray, visibility: np.ndarray, image_ids: np.ndarray, bootstrap: Bootstrap
) -> Estimate:
    """Return the mean of occluded keypoints minus the mean of visible keypoints of the same kind.

    Wrists are occluded more often than noses and also differ in other ways. So each kind of keypoint is compared with
    itself and weighted by its number of occluded keypoints. Kinds that are never occluded or never visible are skipped.

    Args:
        values: [P, K] of P persons' keypoints; NaN is skipped.
        visibility: [P, K].
        image_ids: [P]; the bootstrap resamples images.

    Returns:
        The estimate; its count is the number of occluded keypoints compared.
    """
    hidden = image_totals(np.where(visibility == HIDDEN, values, np.nan), image_ids)
    seen = image_totals(np.where(visibility == SEEN, values, np.nan), image_ids)
    samples = _difference(image_samples(len(hidden[0]), bootstrap), hidden, seen)
    compared = np.where(seen[1].sum(axis=0) > 0, hidden[1], 0.0).sum(axis=1)
    return estimate_of_samples(samples, compared, bootstrap)


@lru_cache(maxsize=2)
def _drawn(images: int, samples: int, seed: int) -> np.ndarray:
    resamples = np.random.default_rng(seed).multinomial(images, np.full(images, 1 / images), size=samples)
    drawn = np.concatenate((np.ones((1, images), dtype=np.int64), resamples))
    drawn.flags.writeable = False
    return drawn


def _difference(
    weights: np.ndarray, hidden: tuple[np.ndarray, np.ndarray], seen: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """Return [S] differences for samples with image weights [S, I]; sums and counts are [I, K]. NaN without a pair."""
    (hidden_sums, hidden_counts), (seen_sums, seen_counts) = hidden, seen
    number, others = weights @ hidden_counts, weights @ seen_counts
    both = (number > 0) & (others > 0)
    gaps = weights @ hidden_sums - number * np.divide(
        weights @ seen_sums, others, out=np.zeros(others.shape), where=others > 0
    )
    total, compared = np.where(both, gaps, 0.0).sum(axis=1), np.where(both, number, 0.0).sum(axis=1)
    return np.divide(total, compared, out=np.full(len(weights), np.nan), where=compared > 0)
