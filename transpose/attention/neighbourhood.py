"""Which cells of the grid are near a joint."""

import numpy as np

from transpose.attention.maps.grid import Grid


def neighbourhoods(grid: Grid, joints_xy: np.ndarray, reach: float) -> np.ndarray:
    """Cells near joints [P, K, 2], which are in crop pixels: [P, K, L] bool.

    Those whose centre is within `reach` widths of the crop, so that grids of any fineness mean the same area, and the
    joint's own cell in any case. A joint outside of the crop has none.
    """
    offsets = joints_xy[..., None, :] - grid.centres()
    near = np.hypot(offsets[..., 0], offsets[..., 1]) <= reach * grid.input_size[1]
    own = grid.tokens_at(joints_xy)[..., None] == np.arange(grid.tokens)
    inside = np.all((joints_xy >= 0) & (joints_xy <= np.array(grid.input_size[::-1]) - 1), axis=-1, keepdims=True)
    return (near | own) & inside
