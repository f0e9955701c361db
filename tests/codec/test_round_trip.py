"""Keypoints -> target heatmaps -> decoded keypoints: the largest error of each decoding, in heatmap pixels.

Even of an exact target, the quarter offset decodes one of four positions per pixel, and DARK decodes the maximum of a
map that is blurred together with the zeros outside of it.
"""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from transpose.codec.decode import dark_decode, quarter_decode
from transpose.codec.encode import gaussian_heatmaps


class Codec(NamedTuple):
    """Settings of a target and of its decoding."""

    size_hw: tuple[int, int]
    sigma: float
    blur_kernel: int
    dark_error_near_border: float
    """Largest error of DARK within reach of the border; measured on 100,000 keypoints and rounded up."""


SMALL = Codec((64, 48), 2.0, 11, 0.51)
"""Heatmaps of 256x192 with the default settings."""
LARGE = Codec((96, 72), 2.0, 11, 0.51)
"""Heatmaps of 384x288 with the default settings."""
LARGE_SIGMA_3 = Codec((96, 72), 3.0, 17, 0.96)
"""Heatmaps of 384x288 with the larger Gaussian and kernel of the official HRNet configuration."""
CODECS = [SMALL, LARGE, LARGE_SIGMA_3]

_ROUNDING = 1e-3
"""float32 heatmaps."""


def encoded(codec: Codec, points_xy: np.ndarray) -> np.ndarray:
    """Target heatmaps [N, 1, h, w] of keypoints [N, 2]."""
    points = torch.from_numpy(points_xy)[:, None]
    heatmaps, weights = gaussian_heatmaps(points, torch.ones(len(points), 1), codec.size_hw, codec.sigma)
    assert (weights == 1).all()
    return heatmaps.numpy()


def in_heatmap(codec: Codec, share_x: float, share_y: float) -> np.ndarray:
    """A keypoint [1, 2] between the centres of the outer pixels."""
    return np.array([[share_x, share_y]]) * (np.array(codec.size_hw[::-1]) - 1)


def border_distance(codec: Codec, points_xy: np.ndarray) -> float:
    """Distance of a keypoint [1, 2] from the centres of the outer pixels."""
    return float(np.minimum(points_xy, np.array(codec.size_hw[::-1]) - 1 - points_xy).min())


shares = st.floats(0, 1)


@pytest.mark.parametrize("codec", CODECS)
@settings(deadline=None)
@given(share_x=shares, share_y=shares)
def test_the_quarter_offset_is_within_a_quarter_of_a_pixel(codec: Codec, share_x: float, share_y: float) -> None:
    point = in_heatmap(codec, share_x, share_y)
    decoded, scores = quarter_decode(encoded(codec, point))
    # The outer two rows and columns have no offset, and 1.5 rounds down to the second one.
    expected = 0.25 if border_distance(codec, point) > 1.5 + _ROUNDING else 0.5
    np.testing.assert_allclose(decoded[:, 0], point, rtol=0, atol=expected + _ROUNDING)
    # The nearest pixel is half a pixel away in both axes at most.
    assert scores[0, 0] >= np.exp(-0.25 / codec.sigma**2) - 1e-6


@pytest.mark.parametrize("codec", CODECS)
@settings(deadline=None)
@given(share_x=shares, share_y=shares)
def test_dark_is_exact_except_near_the_border(codec: Codec, share_x: float, share_y: float) -> None:
    point = in_heatmap(codec, share_x, share_y)
    decoded, _ = dark_decode(encoded(codec, point), codec.blur_kernel)
    # The derivatives use two pixels on each side of the maximum, each blurred over half a kernel. Where that reaches
    # beyond the border, the zeros there draw the keypoint inwards. In the outer two rows and columns there is no
    # refinement, so the error is half a pixel at most.
    reach = 2 + codec.blur_kernel // 2 + 0.5
    expected = _ROUNDING if border_distance(codec, point) > reach else codec.dark_error_near_border
    np.testing.assert_allclose(decoded[:, 0], point, rtol=0, atol=expected)


@pytest.mark.parametrize("codec", CODECS)
def test_every_part_of_the_heatmap_is_within_the_errors(codec: Codec) -> None:
    """A dense grid, since random keypoints are rarely at the border."""
    height, width = codec.size_hw
    ys, xs = np.meshgrid(np.arange(0, height - 0.9, 0.7), np.arange(0, width - 0.9, 0.7), indexing="ij")
    points = np.stack((xs, ys), axis=-1).reshape(-1, 2)
    heatmaps = encoded(codec, points)
    for decoded, largest in (
        (quarter_decode(heatmaps)[0], 0.5),
        (dark_decode(heatmaps, codec.blur_kernel)[0], codec.dark_error_near_border),
    ):
        np.testing.assert_allclose(decoded[:, 0], points, rtol=0, atol=largest + _ROUNDING)
