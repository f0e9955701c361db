"""Comparison of occluded and visible keypoints of the same kind."""

import numpy as np

from transpose.attention.estimates import Estimate, image_resamples, image_totals, interval_of
from transpose.evaluation.report import Bootstrap

HIDDEN, SEEN = 1, 2
"""COCO visibility flags of occluded and visible keypoints."""


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
    everything = np.ones((1, len(hidden[0])), dtype=np.int64)
    value = _difference(everything, hidden, seen)[0]
    if np.isnan(value):
        return Estimate(value=None, low=None, high=None, count=0, images=0)
    drawn = _difference(image_resamples(len(hidden[0]), bootstrap), hidden, seen)
    low, high = interval_of(drawn, bootstrap)
    compared = hidden[1][:, seen[1].sum(axis=0) > 0]
    images = int((compared.sum(axis=1) > 0).sum())
    return Estimate(value=float(value), low=low, high=high, count=int(compared.sum()), images=images)


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
