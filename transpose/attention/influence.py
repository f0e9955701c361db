"""Attention compared with the effect of masking: one keypoint on another, and image patches one by one."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from transpose.attention.attribution import attention_rows, rank_correlation
from transpose.attention.estimates import estimate_of_samples, image_totals, resampled_means
from transpose.attention.maps.grid import Grid
from transpose.attention.masking import CellMasking, outcome
from transpose.attention.persons import ExplainedPerson
from transpose.config.bootstrap import Bootstrap
from transpose.evaluation.intervals import Estimate
from transpose.pose_model import PoseModel

_FEWEST_PAIRS = 3
"""Fewest pairs of keypoints for a rank correlation."""


class Influence(NamedTuple):
    """Matrices [K, K] of one person; row i is the predicted keypoint, column j the keypoint with masked neighbourhood.

    NaN where keypoint i is not explained, or keypoint j is not labelled or is outside the crop.
    """

    attention: np.ndarray
    """Attention of the cell of keypoint i to the neighbourhood of j, in multiples of uniform attention."""
    distance: np.ndarray
    """Negative distance from predicted keypoint i to j, crop pixels: the distance baseline."""
    peak_drop: np.ndarray
    """Lost share of the height of keypoint i's peak without the neighbourhood of j."""
    shift: np.ndarray
    """Shift of keypoint i without the neighbourhood of j, crop pixels."""


def influence(
    model: PoseModel, masking: CellMasking, person: ExplainedPerson, keypoints_xy: np.ndarray, near: np.ndarray
) -> Influence:
    """Mask the neighbourhood of each keypoint in turn and measure the effect on the others.

    Args:
        keypoints_xy: [K, 2] annotated keypoints, crop pixels.
        near: [K, L] bool neighbourhoods of the keypoints; all False for keypoints to skip.
    """
    count = len(near)
    present = np.flatnonzero(near.any(axis=1))
    attention, distance, peak_drop, shift = (np.full((count, count), np.nan) for _ in range(4))
    here = np.ix_(person.keypoints, present)
    shares = near[present].T / near[present].sum(axis=1)
    attention[here] = attention_rows(person.layers, person.queries) @ shares / model.grid.uniform
    offsets = keypoints_xy[present] - person.points_xy[:, None]
    distance[here] = -np.hypot(offsets[..., 0], offsets[..., 1])
    if len(present):
        masked = outcome(model, masking(~near[present]).numpy()[:, person.keypoints], person)
        peak_drop[here], shift[here] = masked.peak_drop.T, masked.shift.T
    return Influence(attention, distance, peak_drop, shift)


def agreement(first: np.ndarray, second: np.ndarray, image_ids: np.ndarray, bootstrap: Bootstrap) -> Estimate:
    """Return the rank correlation of two mean keypoint-to-keypoint matrices without diagonals, over resampled images.

    Args:
        first: [P, K, K], NaN where there is no value; `second` likewise.
        image_ids: [P].
    """
    pairs = ~np.eye(first.shape[1], dtype=bool)
    both = np.isfinite(first) & np.isfinite(second)
    values = [np.where(both, matrices, np.nan)[:, pairs] for matrices in (first, second)]
    totals = [image_totals(one, image_ids) for one in values]
    numbers = totals[0][1]
    known = np.flatnonzero(numbers.sum(axis=0) > 0)
    samples = [resampled_means(sums[:, known], numbers[:, known], bootstrap) for sums, _ in totals]
    return estimate_of_samples(_correlations_of_known(*samples), numbers.sum(axis=1), bootstrap)


def patches(grid: Grid, side: int) -> np.ndarray:
    """Return [N, L] bool: cells of each patch of `side` crop pixels, row by row; edge patches can be smaller."""
    cells = side * grid.size[1] // grid.input_size[1]
    rows, columns = np.divmod(np.arange(grid.tokens), grid.size[1])
    numbers = (rows // cells) * -(-grid.size[1] // cells) + columns // cells
    return np.arange(numbers.max() + 1)[:, None] == numbers


def patch_effects(model: PoseModel, masking: CellMasking, person: ExplainedPerson, masked: np.ndarray) -> np.ndarray:
    """Return [J, N]: lost share of each keypoint's peak when the cells of a patch are masked, [N, L]."""
    return outcome(model, masking(~masked).numpy()[:, person.keypoints], person).peak_drop.T


def attribution_correlations(
    importance: Mapping[str, np.ndarray], effects: np.ndarray, masked: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the rank correlation [J] over patches of each method's mean importance [J, L] with effects [J, N]."""
    sizes = masked.sum(axis=1)
    return {
        method: rank_correlation(values @ masked.T.astype(np.float64) / sizes, effects)
        for method, values in importance.items()
    }


def _correlations_of_known(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return rank correlations [S] of resamples [S, N] over the pairs of keypoints in each; NaN with too few pairs."""
    known = np.isfinite(first)
    complete = known.all(axis=1) & (first.shape[1] >= _FEWEST_PAIRS)
    correlations = np.full(len(first), np.nan)
    correlations[complete] = rank_correlation(first[complete], second[complete])
    for sample in np.flatnonzero(~complete & (known.sum(axis=1) >= _FEWEST_PAIRS)):
        correlations[sample] = rank_correlation(first[sample, known[sample]], second[sample, known[sample]])
    return correlations
