"""Knock-out, deletion and insertion: predict keypoints with their most important cells masked, or with only those."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from transpose.attention.attribution import ExplainedPerson
from transpose.attention.maps.grid import Grid
from transpose.attention.masking import CellMasking
from transpose.config.study import EvalProtocol
from transpose.geometry import rescale_points
from transpose.inference.predictions import decode_heatmaps


@dataclass(frozen=True)
class MaskedPrediction:
    """Predictions of keypoints [..., J] with some cells masked."""

    points_xy: np.ndarray
    """[..., J, 2] float64, crop pixels."""
    peak_drop: np.ndarray
    """[..., J]: lost share of the heatmap's value at its original maximum; negative if the value has increased."""
    shift: np.ndarray
    """[..., J]: distance from the unmasked prediction, crop pixels."""


def most_important(importance: np.ndarray, fraction: float) -> np.ndarray:
    """Return [..., L] bool: the given share of cells with the largest importance [..., L], at least one cell.

    Ties are broken by token order.
    """
    tokens = importance.shape[-1]
    count = min(tokens, max(1, round(fraction * tokens)))
    chosen = np.zeros(importance.shape, dtype=bool)
    np.put_along_axis(chosen, np.argsort(-importance, axis=-1, kind="stable")[..., :count], values=True, axis=-1)
    return chosen


def knock_out(
    masking: CellMasking, person: ExplainedPerson, kept: np.ndarray, grid: Grid, protocol: EvalProtocol
) -> MaskedPrediction:
    """Predict each of J keypoints from its kept cells, [..., J, L] bool."""
    leading, keypoints = kept.shape[:-1], person.keypoints
    heatmaps = masking(kept.reshape(-1, kept.shape[-1])).numpy()
    own = np.tile(keypoints, len(heatmaps) // max(1, len(keypoints)))
    return outcome(
        heatmaps[np.arange(len(heatmaps)), own].reshape(*leading, *heatmaps.shape[2:]), person, grid, protocol
    )


def outcome(heatmaps: np.ndarray, person: ExplainedPerson, grid: Grid, protocol: EvalProtocol) -> MaskedPrediction:
    """Compare heatmaps [..., J, h, w] of a person's J keypoints with those of the unmasked pass."""
    *leading, keypoints, height, width = heatmaps.shape
    points, _ = decode_heatmaps(np.ascontiguousarray(heatmaps).reshape(-1, keypoints, height, width), protocol)
    points = rescale_points(points, grid.heatmap_size, grid.input_size).reshape(*leading, keypoints, 2)
    flat = heatmaps.reshape(*leading, keypoints, -1)
    after = np.take_along_axis(flat, np.broadcast_to(person.peak_cells[:, None], (*leading, keypoints, 1)), -1)[..., 0]
    before = person.heatmaps.reshape(len(person.heatmaps), -1)[person.keypoints, person.peak_cells]
    shift = np.linalg.norm(points - person.points_xy, axis=-1)
    # The lost share is undefined for peaks that are not positive.
    drop = np.divide(before - after, before, out=np.full(after.shape, np.nan), where=before > 0)
    return MaskedPrediction(points, drop, shift)


def deletion_and_insertion(
    masking: CellMasking,
    person: ExplainedPerson,
    importance: Mapping[str, np.ndarray],
    fractions: Sequence[float],
    grid: Grid,
    protocol: EvalProtocol,
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Predict keypoints with growing shares of the most important cells masked (deletion) or kept (insertion).

    Args:
        importance: [J, L] by method.

    Returns:
        Points [F + 2, J, 2] in crop pixels of deletion and of insertion, by method; the ends are the shares 0 and 1.
    """
    nothing, everything = (np.full((1, len(person.keypoints), grid.tokens), kept) for kept in (False, True))
    ends = knock_out(masking, person, np.concatenate((everything, nothing)), grid, protocol).points_xy
    curves = {}
    for method, values in importance.items():
        chosen = np.stack([most_important(values, fraction) for fraction in fractions])
        points = knock_out(masking, person, np.stack((~chosen, chosen)), grid, protocol).points_xy
        deletion = np.concatenate((ends[:1], points[0], ends[1:]))
        curves[method] = deletion, np.concatenate((ends[1:], points[1], ends[:1]))
    return curves
