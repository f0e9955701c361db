"""An image on the detector's canvas, and boxes back in the image."""

import numpy as np
import pytest

from transpose.data.detector.letterbox import PADDING, boxes_in_image, letterbox


def test_an_image_that_fits_is_turned_to_bgr_and_padded() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 32, 3), dtype=np.uint8)
    canvas, scale = letterbox(image, (32, 32))
    assert (canvas.dtype, canvas.shape, scale) == (np.float32, (3, 32, 32), 1)
    np.testing.assert_array_equal(canvas[:, :20], image[:, :, ::-1].transpose(2, 0, 1))
    assert (canvas[:, 20:] == PADDING).all()


@pytest.mark.parametrize(("size", "inner"), [((60, 120), (32, 64)), ((200, 100), (64, 32)), ((16, 32), (32, 64))])
def test_proportions_are_kept(size: tuple[int, int], inner: tuple[int, int]) -> None:
    canvas, scale = letterbox(np.full((*size, 3), 200, dtype=np.uint8), (64, 64))
    assert scale == min(64 / size[0], 64 / size[1])
    assert (canvas[:, : inner[0], : inner[1]] == 200).all()
    assert (canvas == 200).sum() == 3 * inner[0] * inner[1]
    assert ((canvas == 200) | (canvas == PADDING)).all()


def test_a_sliver_keeps_a_row_of_pixels() -> None:
    canvas, _ = letterbox(np.full((1, 400, 3), 200, dtype=np.uint8), (64, 64))
    assert (canvas[:, 0] == 200).all()


def test_boxes_return_scaled_and_clipped() -> None:
    boxes = boxes_in_image(np.array([[10, 20, 30, 60], [-8, 10, 200, 24], [90, 90, 99, 99]]), 0.5, np.array([60, 100]))
    assert boxes.tolist() == [[20, 40, 40, 20], [0, 20, 100, 28], [100, 60, 0, 0]]
