"""Which keypoint needs which: attention between keypoints beside what hiding one keypoint does to another."""

from typing import NamedTuple

import numpy as np

from transpose.attention.attribution import ExplainedPerson, attention_rows
from transpose.attention.estimates import Estimate, image_totals, interval_of, resampled_means
from transpose.attention.knockout import outcome
from transpose.attention.maps.grid import Grid
from transpose.attention.masking import CellMasking
from transpose.attention.ranks import rank_correlation
from transpose.config.study import EvalProtocol
from transpose.evaluation.report import Bootstrap

_FEWEST_PAIRS = 3
"""Fewer pairs of keypoints have no order to speak of."""


class Influence(NamedTuple):
    """Of one person, [K, K] each; row i is the keypoint that is predicted, column j the one whose neighbourhood is
    meant.

    NaN where keypoint i is not explained, or keypoint j is not labelled or lies outside of the crop.
    """

    attention: np.ndarray
    """Attention of the cell of keypoint i to the neighbourhood of j, in multiples of uniform attention."""
    distance: np.ndarray
    """Minus the distance from keypoint i as found to j, crop pixels: what distance alone would predict."""
    peak_drop: np.ndarray
    """Share of the height of keypoint i's peak that is lost without the neighbourhood of j."""
    shift: np.ndarray
    """How far keypoint i moves without the neighbourhood of j, crop pixels."""


def influence(
    masking: CellMasking,
    person: ExplainedPerson,
    keypoints_xy: np.ndarray,
    near: np.ndarray,
    grid: Grid,
    protocol: EvalProtocol,
) -> Influence:
    """Hide the neighbourhood of each keypoint in turn and see what becomes of the others.

    Args:
        keypoints_xy: where the keypoints truly are, [K, 2] crop pixels.
        near: their neighbourhoods, [K, L] bool; empty for keypoints that are to be left out.
    """
    count = len(near)
    present = np.flatnonzero(near.any(axis=1))
    attention, distance, peak_drop, shift = (np.full((count, count), np.nan) for _ in range(4))
    here = np.ix_(person.keypoints, present)
    shares = near[present].T / near[present].sum(axis=1)
    attention[here] = attention_rows(person) @ shares / grid.uniform
    offsets = keypoints_xy[present] - person.points_xy[:, None]
    distance[here] = -np.hypot(offsets[..., 0], offsets[..., 1])
    if len(present):
        heatmaps = masking(~near[present]).numpy()[:, person.keypoints]
        hidden = outcome(heatmaps, person, grid, protocol)
        peak_drop[here], shift[here] = hidden.peak_drop.T, hidden.shift.T
    return Influence(attention, distance, peak_drop, shift)


def agreement(first: np.ndarray, second: np.ndarray, image_ids: np.ndarray, bootstrap: Bootstrap) -> Estimate:
    """Rank correlation of two mean keypoint-to-keypoint matrices without their diagonals, with images [P] resampled.

    Args:
        first: [P, K, K], NaN where there is no value; so is `second`.
    """
    pairs = ~np.eye(first.shape[1], dtype=bool)
    both = np.isfinite(first) & np.isfinite(second)
    values = [np.where(both, matrices, np.nan)[:, pairs] for matrices in (first, second)]
    totals = [image_totals(one, image_ids) for one in values]
    count, images = int(both[:, pairs].sum()), int((totals[0][1].sum(axis=1) > 0).sum())
    counts = totals[0][1].sum(axis=0)
    known = np.flatnonzero(counts > 0)
    if len(known) < _FEWEST_PAIRS:
        return Estimate(value=None, low=None, high=None, count=count, images=images)
    means = [sums[:, known].sum(axis=0) / counts[known] for sums, _ in totals]
    drawn = [resampled_means(sums[:, known], numbers[:, known], bootstrap) for sums, numbers in totals]
    correlations = _correlations_of_known(*drawn)
    # Where nothing has any effect there is no order of effects to agree with.
    value = float(rank_correlation(*means))
    low, high = interval_of(correlations, bootstrap) if np.isfinite(value) else (None, None)
    return Estimate(value=value if np.isfinite(value) else None, low=low, high=high, count=count, images=images)


def _correlations_of_known(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """[S] rank correlations of resamples [S, N], over the pairs of keypoints in each; NaN if there are too few."""
    known = np.isfinite(first)
    complete = known.all(axis=1)
    correlations = np.full(len(first), np.nan)
    correlations[complete] = rank_correlation(first[complete], second[complete])
    for sample in np.flatnonzero(~complete & (known.sum(axis=1) >= _FEWEST_PAIRS)):
        correlations[sample] = rank_correlation(first[sample, known[sample]], second[sample, known[sample]])
    return correlations
