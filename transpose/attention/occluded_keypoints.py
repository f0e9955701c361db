"""Hidden keypoints compared with seen ones of the same kind."""

import numpy as np

from transpose.attention.estimates import Estimate, image_resamples, image_totals, interval_of
from transpose.evaluation.report import Bootstrap

HIDDEN, SEEN = 1, 2
"""Visibility of a labelled keypoint in COCO's annotations."""


def hidden_minus_seen(
    values: np.ndarray, visibility: np.ndarray, image_ids: np.ndarray, bootstrap: Bootstrap
) -> Estimate:
    """Mean of values of hidden keypoints minus that of seen ones, like with like.

    Wrists are hidden more often than noses, and differ from them in all else too. So each kind of keypoint is compared
    with itself, and kinds weigh as often as they are hidden; a kind that is never hidden, or never seen, has no say.

    Args:
        values: [P, K] of P persons' keypoints, NaN being left out.
        visibility: [P, K].
        image_ids: [P]; images are resampled.

    Returns:
        The estimate, whose count is that of the hidden keypoints compared.
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
    """[S] for samples in which images come weights [S, I] times; sums and counts are [I, K]. NaN without a pair."""
    (hidden_sums, hidden_counts), (seen_sums, seen_counts) = hidden, seen
    number, others = weights @ hidden_counts, weights @ seen_counts
    both = (number > 0) & (others > 0)
    gaps = weights @ hidden_sums - number * np.divide(
        weights @ seen_sums, others, out=np.zeros(others.shape), where=others > 0
    )
    total, compared = np.where(both, gaps, 0.0).sum(axis=1), np.where(both, number, 0.0).sum(axis=1)
    return np.divide(total, compared, out=np.full(len(weights), np.nan), where=compared > 0)
