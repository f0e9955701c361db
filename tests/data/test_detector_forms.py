"""Whole detectors of the published forms find a person in an image that is neither square nor of the input's size."""

from pathlib import Path

import numpy as np
import pytest

from tests.data.onnx_detectors import Shape, write_model_with_sizes, write_output_model
from transpose.data.detector import PersonDetector
from transpose.data.detector_model import DetectorModel

HEIGHT, WIDTH = 64, 32
CELLS = 8 * 4 + 4 * 2 + 2 * 1
RED_IMAGE = np.full((48, 96, 3), (255, 0, 0), dtype=np.uint8)


def detect(path: Path) -> tuple[list[list[float]], list[float]]:
    """Boxes (x, y, width, height) in the red image, and scores."""
    boxes, scores = PersonDetector(DetectorModel(path, 0.3), 0.65).find(RED_IMAGE)
    return boxes.round(3).tolist(), scores.round(4).tolist()


# The canvas is RGB from 0 to 1, so that the first channel of a red image is 1 and scores stay.
STRETCHED = [[24, 12, 48, 24]]
"""Of a box in the middle of the canvas with half of its sides, stretched to 96 x 48."""
RELATIVE = np.array([[[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 0.2, 0.2]]], dtype=np.float32)


@pytest.mark.parametrize("shape", [["batch", 84, CELLS], ["batch", 84, "anchors"]])
def test_ultralytics_head(tmp_path: Path, shape: Shape) -> None:
    head = np.zeros((1, 84, CELLS), dtype=np.float32)
    # On a canvas of 64 x 32 the image is 16 high and starts 24 below the top.
    head[0, :5, 7] = [16, 32, 8, 8, 0.75]
    head[0, [0, 1, 2, 3, 5], 9] = [16, 32, 8, 8, 0.9]
    path = tmp_path / "yolo11n.onnx"
    write_output_model(path, "images", [1, 3, HEIGHT, WIDTH], {"output0": (shape, head)}, "none")
    assert detect(path) == ([[36, 12, 24, 24]], [0.75])


@pytest.mark.parametrize("shape", [[1, 300, 6], ["batch", 300, "anchors"]])
def test_ultralytics_end_to_end(tmp_path: Path, shape: Shape) -> None:
    found = np.zeros((1, 300, 6), dtype=np.float32)
    found[0, :3] = [[12, 28, 20, 36, 0.75, 0], [0, 24, 8, 32, 0.9, 16], [0, 0, 9, 9, 0.1, 0]]
    path = tmp_path / "yolo26n.onnx"
    write_output_model(path, "images", [1, 3, HEIGHT, WIDTH], {"output0": (shape, found)}, "none")
    assert detect(path) == ([[36, 12, 24, 24]], [0.75])


def test_rt_detr_and_d_fine_of_hugging_face(tmp_path: Path) -> None:
    logits = np.full((1, 2, 80), -9, dtype=np.float32)
    logits[0, 0, 0], logits[0, 1, 16] = np.log(3), 4
    outputs: dict[str, tuple[Shape, np.ndarray]] = {
        "logits": (["batch_size", "num_queries", "num_labels"], logits),
        "pred_boxes": (["batch_size", "num_queries", "coordinates"], RELATIVE),
    }
    path = tmp_path / "model.onnx"
    write_output_model(path, "pixel_values", ["batch_size", "num_channels", "height", "width"], outputs, "logits")
    assert detect(path) == (STRETCHED, [0.75])


@pytest.mark.parametrize("masks", [False, True])
def test_rf_detr(tmp_path: Path, masks: bool) -> None:
    logits = np.full((1, 2, 91), -9, dtype=np.float32)
    # The first channel is (1 - 0.485) / 0.229 in a red image.
    logits[0, 0, 1], logits[0, 1, 17] = np.log(3) * 0.229 / 0.515, 4
    outputs: dict[str, tuple[Shape, np.ndarray]] = {
        "dets": ([1, 2, 4], RELATIVE),
        "labels": ([1, 2, 91], logits),
    }
    if masks:
        outputs["masks"] = ([1, 2, 16, 8], np.zeros((1, 2, 16, 8), dtype=np.float32))
    path = tmp_path / "rf-detr.onnx"
    write_output_model(path, "input", [1, 3, HEIGHT, WIDTH], outputs, "labels")
    assert detect(path) == (STRETCHED, [0.75])


def test_rt_detr_and_d_fine_with_the_size_as_an_input(tmp_path: Path) -> None:
    corners = np.array([[[0.25, 0.25, 0.75, 0.75], [0, 0, 0.5, 0.5]]])
    path = tmp_path / "dfine.onnx"
    write_model_with_sizes(path, (HEIGHT, WIDTH), corners, np.array([[0.75, 0.2]]))
    assert detect(path) == (STRETCHED, [0.75])
