"""Which cells of the grid are near a keypoint."""

import numpy as np

from transpose.attention.maps.grid import Grid


def neighbourhoods(grid: Grid, keypoints_xy: np.ndarray, reach: float) -> np.ndarray:
    """Cells near keypoints [P, K, 2], which are in crop pixels: [P, K, L] bool.

    Those whose centre is within `reach` widths of the crop, so that grids of any fineness mean the same area, and the
    keypoint's own cell in any case. A keypoint outside of the crop has none.
    """
    offsets = keypoints_xy[..., None, :] - grid.centres()
    near = np.hypot(offsets[..., 0], offsets[..., 1]) <= reach * grid.input_size[1]
    own = grid.tokens_at(keypoints_xy)[..., None] == np.arange(grid.tokens)
    inside = np.all((keypoints_xy >= 0) & (keypoints_xy <= np.array(grid.input_size[::-1]) - 1), axis=-1, keepdims=True)
    return (near | own) & inside
