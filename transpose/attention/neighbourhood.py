"""Grid cells near a keypoint."""

import numpy as np

from transpose.attention.maps.grid import Grid


def neighbourhoods(grid: Grid, keypoints_xy: np.ndarray, reach: float) -> np.ndarray:
    """Return [P, K, L] bool: the cells near keypoints [P, K, 2] in crop pixels.

    These are the keypoint's own cell and all cells with their centre within `reach` crop widths, the same area for
    every grid size. A keypoint outside the crop has no cells.
    """
    offsets = keypoints_xy[..., None, :] - grid.centres()
    near = np.hypot(offsets[..., 0], offsets[..., 1]) <= reach * grid.input_size[1]
    own = grid.tokens_at(keypoints_xy)[..., None] == np.arange(grid.tokens)
    inside = np.all((keypoints_xy >= 0) & (keypoints_xy <= np.array(grid.input_size[::-1]) - 1), axis=-1, keepdims=True)
    return (near | own) & inside
