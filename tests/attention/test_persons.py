"""Cells near a keypoint."""

import numpy as np

from transpose.attention.maps.grid import Grid
from transpose.attention.persons import neighbourhoods

R, H = Grid((16, 12), (32, 24), (128, 96)), Grid((32, 24), (32, 24), (128, 96))


def test_the_own_cell_is_always_near():
    keypoints = np.random.default_rng(0).uniform((0, 0), (95, 127), (1, 50, 2))
    for grid in (R, H):
        near = neighbourhoods(grid, keypoints, 1e-6)
        assert (near.sum(axis=-1) == 1).all()
        assert near[0, np.arange(50), grid.tokens_at(keypoints[0])].all()


def test_grids_of_any_fineness_mean_the_same_area():
    keypoints = np.random.default_rng(0).uniform((20, 20), (75, 107), (1, 200, 2))
    shares = [neighbourhoods(grid, keypoints, 0.12).mean(axis=-1).mean() for grid in (R, H)]
    np.testing.assert_allclose(shares[0], shares[1], rtol=0.08)
    np.testing.assert_allclose(shares[1], np.pi * (0.12 * 96) ** 2 / (96 * 128), rtol=0.08)


def test_a_keypoint_outside_of_the_crop_has_no_neighbourhood():
    outside = np.array([[[-1.0, 5.0], [5.0, 128.0], [95.5, 5.0], [5.0, 5.0]]])
    assert neighbourhoods(R, outside, 0.2).any(axis=-1).tolist() == [[False, False, False, True]]
