"""What happens to a keypoint when the cells that it is said to depend on are masked, or are all that is left."""

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
    """Keypoints [..., J] after some cells were masked."""

    points_xy: np.ndarray
    """[..., J, 2] float64, crop pixels."""
    peak_drop: np.ndarray
    """[..., J]: share of the heatmap's height at its former maximum that is lost; negative where it has risen."""
    shift: np.ndarray
    """[..., J]: how far the keypoint has moved, crop pixels."""


def most_important(importance: np.ndarray, fraction: float) -> np.ndarray:
    """[..., L] bool: the given share of the cells, the most important of importance [..., L]; at least one.

    Equal cells are taken in the order of the grid.
    """
    tokens = importance.shape[-1]
    count = min(tokens, max(1, round(fraction * tokens)))
    chosen = np.zeros(importance.shape, dtype=bool)
    np.put_along_axis(chosen, np.argsort(-importance, axis=-1, kind="stable")[..., :count], values=True, axis=-1)
    return chosen


def knock_out(
    masking: CellMasking, person: ExplainedPerson, kept: np.ndarray, grid: Grid, protocol: EvalProtocol
) -> MaskedPrediction:
    """Predict each of J keypoints from the cells kept for it, [..., J, L] bool."""
    leading, keypoints = kept.shape[:-1], person.keypoints
    heatmaps = masking(kept.reshape(-1, kept.shape[-1])).numpy()
    own = np.tile(keypoints, len(heatmaps) // max(1, len(keypoints)))
    return outcome(
        heatmaps[np.arange(len(heatmaps)), own].reshape(*leading, *heatmaps.shape[2:]), person, grid, protocol
    )


def outcome(heatmaps: np.ndarray, person: ExplainedPerson, grid: Grid, protocol: EvalProtocol) -> MaskedPrediction:
    """Compare heatmaps [..., J, h, w] of a person's J keypoints with those of the undisturbed pass."""
    *leading, keypoints, height, width = heatmaps.shape
    points, _ = decode_heatmaps(np.ascontiguousarray(heatmaps).reshape(-1, keypoints, height, width), protocol)
    points = rescale_points(points, grid.heatmap_size, grid.input_size).reshape(*leading, keypoints, 2)
    flat = heatmaps.reshape(*leading, keypoints, -1)
    after = np.take_along_axis(flat, np.broadcast_to(person.peak_cells[:, None], (*leading, keypoints, 1)), -1)[..., 0]
    before = person.heatmaps.reshape(len(person.heatmaps), -1)[person.keypoints, person.peak_cells]
    shift = np.linalg.norm(points - person.points_xy, axis=-1)
    # Of a peak that is not above zero no share can be lost.
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
    """Where keypoints go as the most important cells are masked, and as they alone are left.

    Args:
        importance: by method, [J, L].

    Returns:
        By method, points [F + 2, J, 2] in crop pixels of deletion and of insertion, the ends being the shares 0 and 1.
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
