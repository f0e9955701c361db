"""Occlusion test: mask image patches one by one, and correlate the effect with the attributions of cells."""

from collections.abc import Mapping

import numpy as np

from transpose.attention.attribution import ExplainedPerson
from transpose.attention.knockout import outcome
from transpose.attention.maps.grid import Grid
from transpose.attention.masking import CellMasking
from transpose.attention.ranks import rank_correlation
from transpose.config.study import EvalProtocol


def patches(grid: Grid, side: int) -> np.ndarray:
    """Return [N, L] bool: cells of each patch of `side` crop pixels, row by row; edge patches can be smaller."""
    cells = side * grid.size[1] // grid.input_size[1]
    rows, columns = np.divmod(np.arange(grid.tokens), grid.size[1])
    numbers = (rows // cells) * -(-grid.size[1] // cells) + columns // cells
    return np.arange(numbers.max() + 1)[:, None] == numbers


def patch_effects(
    masking: CellMasking, person: ExplainedPerson, masked: np.ndarray, grid: Grid, protocol: EvalProtocol
) -> np.ndarray:
    """Return [J, N]: lost share of each keypoint's peak when the cells of a patch are masked, [N, L]."""
    heatmaps = masking(~masked).numpy()[:, person.keypoints]
    return outcome(heatmaps, person, grid, protocol).peak_drop.T


def attribution_correlations(
    importance: Mapping[str, np.ndarray], effects: np.ndarray, masked: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the rank correlation [J] over patches of each method's mean importance [J, L] with effects [J, N]."""
    sizes = masked.sum(axis=1)
    return {
        method: rank_correlation(values @ masked.T.astype(np.float64) / sizes, effects)
        for method, values in importance.items()
    }
