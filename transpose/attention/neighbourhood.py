"""Which cells of the grid are near a joint."""

import numpy as np

from transpose.attention.grid import Grid


def neighbourhoods(grid: Grid, joints_xy: np.ndarray, reach: float) -> np.ndarray:
    """Cells whose centre is within `reach` cells of joints [P, K, 2] in crop pixels: [P, K, L] bool."""
    places = grid.positions(joints_xy)
    cells = grid.positions(grid.centres())
    near = np.linalg.norm(places[..., None, :] - cells, axis=-1) <= reach
    inside = np.all((joints_xy >= 0) & (joints_xy <= np.array(grid.input_size[::-1]) - 1), axis=-1, keepdims=True)
    return near & inside
