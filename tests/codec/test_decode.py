from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transpose.codec.decode import argmax_decode, dark_decode, quarter_decode


def gaussian(x, y, size=(64, 48), sigma=2.0):
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2)).astype(np.float32)


def decode_one_by_one(heatmap, kernel=11):
    """The definition, step by step, on a single map."""
    y, x = np.unravel_index(heatmap.argmax(), heatmap.shape)
    if heatmap.max() <= 0:
        return 0.0, 0.0
    if not (1 < x < heatmap.shape[1] - 2 and 1 < y < heatmap.shape[0] - 2):
        return float(x), float(y)
    blurred = cv2.GaussianBlur(heatmap.astype(np.float64), (kernel, kernel), 0, borderType=cv2.BORDER_CONSTANT)
    log = np.log(np.maximum(blurred * heatmap.max() / blurred.max(), 1e-10))
    gradient = np.array([(log[y, x + 1] - log[y, x - 1]) / 2, (log[y + 1, x] - log[y - 1, x]) / 2])
    dxx = (log[y, x + 2] - 2 * log[y, x] + log[y, x - 2]) / 4
    dyy = (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x]) / 4
    dxy = (log[y + 1, x + 1] - log[y - 1, x + 1] - log[y + 1, x - 1] + log[y - 1, x - 1]) / 4
    hessian = np.array([[dxx, dxy], [dxy, dyy]])
    if dxx * dyy - dxy**2 == 0:
        return float(x), float(y)
    return tuple(np.array([x, y]) - np.linalg.solve(hessian, gradient))


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), kernel=st.sampled_from([3, 11, 17]))
def test_equals_the_definition_on_noisy_maps(seed, kernel):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform((0, 0), (31, 39), (6, 2)).T
    maps = np.stack([gaussian(*centre, size=(40, 32)) for centre in zip(x, y, strict=True)])
    maps += rng.normal(0, 0.02, maps.shape).astype(np.float32)
    points, _ = dark_decode(maps[:, None], kernel)
    expected = np.array([decode_one_by_one(heatmap, kernel) for heatmap in maps])
    np.testing.assert_allclose(points[:, 0], expected, atol=1e-6)


def test_equals_the_definition_where_the_logarithm_is_cut():
    maps = np.full((3, 20, 20), -1.0, dtype=np.float32)
    maps[0, 8, 9] = 50
    maps[1, 8:10, 9] = 30, 20
    maps[2, 5, 5], maps[2, 5, 6] = 60, 10
    expected = np.array([decode_one_by_one(heatmap, 5) for heatmap in maps])
    np.testing.assert_allclose(dark_decode(maps[:, None], 5)[0][:, 0], expected, atol=1e-6)


@pytest.mark.parametrize("cell", [(1, 20), (20, 1), (46, 20), (20, 62), (0, 0), (47, 63)])
def test_does_not_refine_at_the_border(cell):
    heatmap = gaussian(*cell)
    heatmap[cell[1], cell[0]] += 1
    assert tuple(dark_decode(heatmap[None, None])[0][0, 0]) == cell


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_map_without_positive_values_decodes_to_the_origin(value):
    heatmaps = np.full((1, 1, 64, 48), value, dtype=np.float32)
    heatmaps[0, 0, 30, 20] = value / 2
    for decode in (argmax_decode, dark_decode):
        points, scores = decode(heatmaps)
        assert points.tolist() == [[[0, 0]]]
        assert scores.tolist() == [[value / 2]]


def test_leaves_the_heatmaps_alone_and_takes_an_empty_batch():
    heatmaps = gaussian(20.3, 30.6)[None, None]
    before = heatmaps.copy()
    dark_decode(heatmaps)
    np.testing.assert_array_equal(heatmaps, before)
    points, scores = dark_decode(heatmaps[:0])
    assert points.shape == (0, 1, 2)
    assert scores.shape == (0, 1)


@pytest.mark.parametrize("decode", [argmax_decode, dark_decode, quarter_decode])
@pytest.mark.parametrize("order", [(0, 2, 3, 1), (1, 0, 2, 3)])
def test_the_order_in_memory_changes_no_bit(
    decode: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], order: tuple[int, ...]
) -> None:
    maps = np.random.default_rng(0).normal(0, 0.1, (130, 3, 20, 16)).astype(np.float32)
    maps += gaussian(9, 10, size=(20, 16))
    stored_otherwise = np.ascontiguousarray(maps.transpose(order)).transpose(np.argsort(order))
    assert stored_otherwise.strides != maps.strides
    for found, expected in zip(decode(stored_otherwise), decode(maps), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_refuses_an_even_kernel():
    with pytest.raises(ValueError, match="odd"):
        dark_decode(gaussian(20, 30)[None, None], blur_kernel=10)


def quarter_by_the_rule(heatmap: np.ndarray) -> tuple[float, float]:
    """SimpleBaseline's rule written out for one map."""
    height, width = heatmap.shape
    y, x = divmod(int(heatmap.argmax()), width)
    if heatmap.max() <= 0:
        return 0, 0
    if not (1 < x < width - 1 and 1 < y < height - 1):
        return x, y
    dx = float(heatmap[y, x + 1]) - float(heatmap[y, x - 1])
    dy = float(heatmap[y + 1, x]) - float(heatmap[y - 1, x])
    return x + 0.25 * np.sign(dx), y + 0.25 * np.sign(dy)


def test_quarter_steps_by_the_rule_at_every_cell():
    heatmaps = np.random.default_rng(0).integers(-2, 4, (8 * 6, 3, 8, 6)).astype(np.float32)
    for cell in range(8 * 6):
        heatmaps[cell, :, cell // 6, cell % 6] = 5
    heatmaps[0, 1] = -1
    points, scores = quarter_decode(heatmaps)
    expected = [[quarter_by_the_rule(heatmap) for heatmap in maps] for maps in heatmaps]
    np.testing.assert_array_equal(points, expected)
    np.testing.assert_array_equal(scores, heatmaps.max(axis=(2, 3)))
    assert {0.0, 0.25, 0.75} <= set((points % 1).ravel())
