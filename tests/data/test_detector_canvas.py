"""Images become the input that a detector was trained with, and its boxes return to the image."""

import numpy as np
import pytest

from transpose.data.detector_canvas import (
    PADDING,
    RF_DETR,
    RT_DETR,
    ULTRALYTICS,
    YOLOX,
    Canvas,
    boxes_in_image,
    canvas_of,
)


def test_an_image_that_fits_is_turned_to_bgr_and_padded() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 32, 3), dtype=np.uint8)
    canvas = canvas_of(image, (32, 32), YOLOX)
    assert (canvas.values.dtype, canvas.values.shape) == (np.float32, (3, 32, 32))
    assert (canvas.scale_xy.tolist(), canvas.offset_xy.tolist()) == ([1, 1], [0, 0])
    np.testing.assert_array_equal(canvas.values[:, :20], image[:, :, ::-1].transpose(2, 0, 1))
    assert (canvas.values[:, 20:] == PADDING).all()


@pytest.mark.parametrize(("size", "inner"), [((60, 120), (32, 64)), ((200, 100), (64, 32)), ((16, 32), (32, 64))])
def test_proportions_are_kept(size: tuple[int, int], inner: tuple[int, int]) -> None:
    values, scale_xy, _ = canvas_of(np.full((*size, 3), 200, dtype=np.uint8), (64, 64), YOLOX)
    assert scale_xy.tolist() == [min(64 / size[0], 64 / size[1])] * 2
    assert (values[:, : inner[0], : inner[1]] == 200).all()
    assert (values == 200).sum() == 3 * inner[0] * inner[1]
    assert ((values == 200) | (values == PADDING)).all()


def test_a_sliver_keeps_a_row_of_pixels() -> None:
    assert (canvas_of(np.full((1, 400, 3), 200, dtype=np.uint8), (64, 64), YOLOX).values[:, 0] == 200).all()


def test_ultralytics_images_are_rgb_fractions_in_the_middle() -> None:
    image = np.full((10, 40, 3), (255, 0, 51), dtype=np.uint8)
    canvas = canvas_of(image, (20, 20), ULTRALYTICS)
    assert (canvas.scale_xy.tolist(), canvas.offset_xy.tolist()) == ([0.5, 0.5], [0, 7])
    np.testing.assert_allclose(canvas.values[:, 7, 0], [1, 0, 0.2], rtol=1e-6)
    np.testing.assert_allclose(canvas.values[:, 12:], PADDING / 255, rtol=1e-6)


def test_detr_images_are_stretched_and_normalised_as_trained() -> None:
    image = np.full((10, 40, 3), (255, 0, 51), dtype=np.uint8)
    canvas = canvas_of(image, (20, 20), RT_DETR)
    assert (canvas.scale_xy.tolist(), canvas.offset_xy.tolist()) == ([0.5, 2], [0, 0])
    expected = np.array([1, 0, 0.2], dtype=np.float32)[:, None, None]
    np.testing.assert_allclose(canvas.values, np.broadcast_to(expected, (3, 20, 20)), rtol=1e-6)
    normalised = (expected.ravel() - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(canvas_of(image, (20, 20), RF_DETR).values[:, 3, 3], normalised, rtol=1e-5)


def test_boxes_return_scaled_and_clipped() -> None:
    boxes = np.array([[10, 20, 30, 60], [-8, 10, 200, 24], [90, 90, 99, 99]])
    plain = Canvas(np.zeros(0), np.array([0.5, 0.5]), np.zeros(2))
    assert boxes_in_image(boxes, plain, (60, 100)).tolist() == [[20, 40, 40, 20], [0, 20, 100, 28], [100, 60, 0, 0]]
    moved = Canvas(np.zeros(0), np.array([0.5, 2]), np.array([2, 10]))
    assert boxes_in_image(boxes[:1], moved, (60, 100)).tolist() == [[16, 5, 40, 20]]
