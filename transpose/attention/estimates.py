"""Means over joints with intervals over images: joints of one person, persons of one image, do not count as draws."""

import math

import numpy as np

from transpose.config.base import Settings
from transpose.evaluation.report import Bootstrap


class Estimate(Settings):
    """A mean and its percentile interval; None where nothing was there to average."""

    value: float | None
    low: float | None
    high: float | None
    count: int
    """Values averaged, a joint of a person each unless stated."""
    images: int
    """Images that they come from."""


def estimate(values: np.ndarray, image_ids: np.ndarray, bootstrap: Bootstrap) -> Estimate:
    """Mean of values [P, ...] of P persons, NaN being left out, with images [P] resampled."""
    sums, counts = image_totals(values.reshape(len(values), math.prod(values.shape[1:])), image_ids)
    return estimate_of_totals(np.nansum(sums, axis=1), counts.sum(axis=1), bootstrap)


def estimate_of_totals(sums: np.ndarray, counts: np.ndarray, bootstrap: Bootstrap) -> Estimate:
    """As `estimate`, of the sum and the number of values in each of I images, [I] each."""
    count, images = int(counts.sum()), int((counts > 0).sum())
    if not count:
        return Estimate(value=None, low=None, high=None, count=0, images=0)
    drawn = resampled_means(sums, counts, bootstrap)
    low, high = np.nanquantile(drawn, ((1 - bootstrap.level) / 2, (1 + bootstrap.level) / 2))
    return Estimate(value=float(sums.sum() / count), low=float(low), high=float(high), count=count, images=images)


def image_totals(values: np.ndarray, image_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums and numbers of the finite values [P, M] of each image: [I, M] each, images by rising id."""
    images, place = np.unique(image_ids, return_inverse=True)
    finite = np.isfinite(values)
    sums, counts = np.zeros((len(images), values.shape[1])), np.zeros((len(images), values.shape[1]))
    np.add.at(sums, place, np.where(finite, values, 0.0))
    np.add.at(counts, place, finite)
    return sums, counts


def resampled_means(sums: np.ndarray, counts: np.ndarray, bootstrap: Bootstrap) -> np.ndarray:
    """Means [samples, ...] over resampled images of sums and counts [I, ...]; NaN where a sample has no value."""
    rng = np.random.default_rng(bootstrap.seed)
    weights = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=bootstrap.samples)
    total, number = np.tensordot(weights, sums, axes=1), np.tensordot(weights, counts, axes=1)
    return np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
