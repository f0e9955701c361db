"""The occlusion test: patches of the image hidden one by one, and how well rankings of cells foretell the effect."""

from collections.abc import Mapping

import numpy as np

from transpose.attention.attribution import ExplainedPerson
from transpose.attention.knockout import outcome
from transpose.attention.maps.grid import Grid
from transpose.attention.masking import CellMasking
from transpose.attention.ranks import rank_correlation
from transpose.config.study import EvalProtocol


def patches(grid: Grid, side: int) -> np.ndarray:
    """[N, L] bool: the cells of each patch of `side` crop pixels, row by row; those at the far edges may be smaller."""
    cells = side * grid.size[1] // grid.input_size[1]
    rows, columns = np.divmod(np.arange(grid.tokens), grid.size[1])
    numbers = (rows // cells) * -(-grid.size[1] // cells) + columns // cells
    return np.arange(numbers.max() + 1)[:, None] == numbers


def patch_effects(
    masking: CellMasking, person: ExplainedPerson, hidden: np.ndarray, grid: Grid, protocol: EvalProtocol
) -> np.ndarray:
    """[J, N]: the share of each keypoint's peak that is lost when the cells of a patch, hidden [N, L], are masked."""
    heatmaps = masking(~hidden).numpy()[:, person.keypoints]
    return outcome(heatmaps, person, grid, protocol).peak_drop.T


def attribution_correlations(
    importance: Mapping[str, np.ndarray], effects: np.ndarray, hidden: np.ndarray
) -> dict[str, np.ndarray]:
    """Rank correlation, over patches, of a method's mean importance [J, L] with effects [J, N]: by method, [J]."""
    sizes = hidden.sum(axis=1)
    return {
        method: rank_correlation(values @ hidden.T.astype(np.float64) / sizes, effects)
        for method, values in importance.items()
    }
