"""Decoding inside a network is that of `codec.decode`."""

import numpy as np
import pytest
import torch

from transpose.codec.decode import decode_heatmaps
from transpose.config.study import EvalProtocol
from transpose.export.decode import HeatmapDecoder


def heatmaps(size_hw: tuple[int, int], noise: float) -> np.ndarray:
    """Gaussians [200, 2, h, w] float32 at any position, also near and outside of the borders, and noise."""
    height, width = size_hw
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-3, (width + 3, height + 3), (200, 2, 2)).transpose(2, 0, 1)[..., None, None]
    rows, columns = np.mgrid[:height, :width]
    maps = rng.uniform(0.1, 1, (200, 2, 1, 1)) * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    return (maps + noise * rng.standard_normal(maps.shape)).astype(np.float32)


@pytest.mark.parametrize("decoder", ["dark", "quarter", "argmax"])
@pytest.mark.parametrize("size_hw", [(32, 24), (24, 32), (4, 6)])
@pytest.mark.parametrize(("blur_kernel", "noise"), [(5, 0.0), (11, 0.0), (11, 0.01)])
def test_points_and_scores(decoder: str, size_hw: tuple[int, int], blur_kernel: int, noise: float) -> None:
    protocol = EvalProtocol.model_validate({"decoder": decoder, "blur_kernel": blur_kernel})
    maps = heatmaps(size_hw, noise)
    expected, expected_scores = decode_heatmaps(maps, protocol)
    points, scores = HeatmapDecoder(size_hw, protocol)(torch.from_numpy(maps))
    np.testing.assert_array_equal(scores.numpy(), expected_scores)
    np.testing.assert_allclose(points.numpy(), expected, atol=1e-3)


def test_maps_without_a_positive_value_are_decoded_to_the_corner() -> None:
    points, scores = HeatmapDecoder((8, 6), EvalProtocol())(torch.full((1, 2, 8, 6), -0.5))
    assert not points.any()
    assert (scores == -0.5).all()
