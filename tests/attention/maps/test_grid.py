"""Cells of the attention grid and pixels of the crop."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from transpose.attention.maps.grid import Grid

R, H = Grid((32, 24), (64, 48), (256, 192)), Grid((64, 48), (64, 48), (256, 192))


@pytest.mark.parametrize("grid", [R, H])
def test_a_cells_centre_lies_in_it(grid: Grid):
    np.testing.assert_array_equal(grid.tokens_at(grid.centres()), np.arange(grid.tokens))
    np.testing.assert_allclose(grid.positions(grid.centres())[-1], (grid.size[1] - 1, grid.size[0] - 1))


def test_where_tokens_are_heatmap_cells_the_maximum_is_the_query():
    # The official alignment: x_img = 95.5 + (x_hm - 23.5) * 191 / 47, y_img = 127.5 + (y_hm - 31.5) * 191 / 47.
    np.testing.assert_allclose(H.centres()[0], (0, 127.5 - 31.5 * 191 / 47), atol=1e-9)
    np.testing.assert_allclose(H.centres()[48 * 10 + 47], (191, 127.5 - 21.5 * 191 / 47), atol=1e-9)
    assert H.cell_side == pytest.approx(191 / 47)
    assert R.cell_side == pytest.approx(2 * 191 / 47)


@given(st.integers(0, 63), st.integers(0, 47), st.floats(-0.49, 0.49), st.floats(-0.49, 0.49))
def test_a_heatmap_pixel_belongs_to_the_cell_that_it_is_upsampled_from(row: int, column: int, dx: float, dy: float):
    point = np.array([95.5, 127.5]) + (np.array([column + dx, row + dy]) - (23.5, 31.5)) * 191 / 47
    assert H.tokens_at(point) == row * 48 + column
    assert R.tokens_at(point) == (row // 2) * 24 + column // 2


def test_points_outside_take_the_nearest_cell():
    assert R.tokens_at(np.array([[-50.0, -50.0], [500.0, -3.0], [1e6, 1e6]])).tolist() == [0, 23, R.tokens - 1]


@pytest.mark.parametrize("grid", [R, H])
@pytest.mark.parametrize("size", [None, (64, 48)])
def test_a_ramp_of_positions_is_a_ramp_on_the_crop(grid: Grid, size: tuple[int, int] | None):
    ramp = torch.from_numpy(np.moveaxis(grid.centres(), -1, 0).copy())
    drawn = grid.on_crop(ramp, size).numpy()
    height, width = size or grid.input_size
    assert drawn.shape == (2, height, width)
    xs = (np.arange(width) + 0.5) * 192 / width - 0.5
    low, high = grid.centres()[0, 0], grid.centres()[-1, 0]
    np.testing.assert_allclose(drawn[0], np.broadcast_to(np.clip(xs, low, high), (height, width)), atol=1e-4)
