import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.onnx_detectors import write_end_to_end_model, write_head_model
from transpose.config.dataset import DetectorBoxes
from transpose.data.boxes import PersonBoxes
from transpose.data.coco import ImageTable
from transpose.data.detector import best_boxes, detector_boxes
from transpose.errors import InputError

SIZE = (64, 96)


def settings(**changes: Any) -> DetectorBoxes:
    values = {"kind": "detector", "model": "unused", "input_size": SIZE, "score_threshold": 0.3, "nms_threshold": 0.1}
    return DetectorBoxes.model_validate(values | changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images twice as large as the canvas: the first with a red square, the second all blue."""
    folder = tmp_path / "images"
    folder.mkdir()
    first, second = np.zeros((2, 128, 192, 3), dtype=np.uint8)
    first[64:128, 64:128] = (0, 0, 255)  # OpenCV writes blue, green, red
    second[:] = (255, 0, 0)
    cv2.imwrite(str(folder / "7.png"), first)
    cv2.imwrite(str(folder / "4.png"), second)
    return folder


def detect(model: Path, folder: Path, **changes: Any) -> PersonBoxes:
    images = ImageTable(np.array([7, 4]), ["7.png", "4.png"], np.array([[128, 192], [128, 192]], dtype=np.int32))
    return detector_boxes(settings(**changes), model, images, folder)


def test_a_bare_head_finds_the_red_square(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "head.onnx"
    write_head_model(model, SIZE, log_sides=(0.0, float(np.log(0.5))))
    # On the canvas the square is 32 to 64 in both directions: a cell of stride 32 and all the smaller ones in it. Of
    # those only the boxes in different cells' places stay.
    boxes = detect(model, folder, nms_threshold=0.0)
    assert set(boxes.image_ids.tolist()) == {7}
    assert boxes.annotation_ids.tolist() == [-1] * len(boxes)
    # The first of equals is the first cell of stride 8, at (32, 32): its box is 8 wide, 4 high, about (36, 34).
    np.testing.assert_allclose(boxes.boxes_xywh[0], [64, 64, 16, 8], atol=1e-5)
    assert len(boxes) == 16
    np.testing.assert_allclose(boxes.scores, 0.5)


def test_suppression_and_threshold_are_the_settings(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "head.onnx"
    write_head_model(model, SIZE, log_sides=(0.0, 0.0))
    everything = detect(model, folder, nms_threshold=1.0)
    assert len(everything) == 16 + 4 + 1
    assert len(detect(model, folder, nms_threshold=0.0)) < len(everything)
    assert len(detect(model, folder, score_threshold=0.51)) == 0


def test_an_end_to_end_model_finds_persons_in_image_pixels(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "end2end.onnx"
    corners: list[list[float]] = [[10, 20, 30, 50], [10, 20, 30, 49], [-10, 0, 20, 64], [50, 5, 60, 15], [96, 0, 99, 9]]
    write_end_to_end_model(model, SIZE, corners, [3.0, 2.9, 6.0, 6.0, 6.0], [0, 0, 0, 2, 0])
    # A sixth of the first image is red.
    boxes = detect(model, folder, nms_threshold=0.6)
    assert boxes.image_ids.tolist() == [7, 7]
    np.testing.assert_allclose(boxes.scores, [1, 0.5], rtol=1e-6)
    assert boxes.boxes_xywh.tolist() == [[0, 0, 40, 128], [20, 40, 40, 60]]
    assert len(detect(model, folder, nms_threshold=1.0)) == 3


def test_nothing_found_is_no_box(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "end2end.onnx"
    write_end_to_end_model(model, SIZE, [], [], [])
    boxes = detect(model, folder)
    assert (len(boxes), boxes.boxes_xywh.shape, boxes.image_ids.dtype) == (0, (0, 4), np.int64)


def test_a_model_inside_an_archive_is_the_model(folder: Path, tmp_path: Path) -> None:
    model, archive = tmp_path / "head.onnx", tmp_path / "head.zip"
    write_head_model(model, SIZE)
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(model, "20230928/yolox/end2end.onnx")
        packed.writestr("20230928/yolox/pipeline.json", "{}")
    expected, boxes = detect(model, folder), detect(archive, folder)
    np.testing.assert_array_equal(boxes.boxes_xywh, expected.boxes_xywh)
    assert len(expected)


def test_an_archive_of_two_models_is_refused(folder: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as packed:
        packed.writestr("a.onnx", b"")
        packed.writestr("b.onnx", b"")
    with pytest.raises(InputError, match=r"two\.zip: the archive has 2 \.onnx files"):
        detect(tmp_path / "two.zip", folder)


def test_a_broken_model_and_another_input_size_are_reported(folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"not a model")
    with pytest.raises(InputError, match=r"model\.onnx: onnxruntime cannot load it: "):
        detect(model, folder)
    write_head_model(model, SIZE)
    with pytest.raises(InputError, match=r"inputs: must be \[1, 3, 640, 640\], not \[1, 3, 64, 96\]"):
        detect(model, folder, input_size=(640, 640))


BOXES = np.array([[0, 0, 10, 10], [0, 0, 10, 5], [0, 5, 10, 10], [50, 50, 60, 60]], dtype=float)


def test_an_overlap_above_the_threshold_goes() -> None:
    # The halves overlap the whole box by exactly one half, and each other not at all.
    scores = np.array([0.5, 0.9, 0.8, 0.1])
    assert best_boxes(BOXES, scores, 0.5).tolist() == [1, 2, 0, 3]
    assert best_boxes(BOXES, scores, 0.49).tolist() == [1, 2, 3]
    assert best_boxes(BOXES, np.array([0.95, 0.9, 0.8, 0.1]), 0.49).tolist() == [0, 3]


def test_of_equals_the_first_stays() -> None:
    assert best_boxes(np.repeat(BOXES[:1], 3, axis=0), np.ones(3), 0.99).tolist() == [0]


def test_boxes_with_a_score_of_zero_stay() -> None:
    assert best_boxes(BOXES[2:], np.zeros(2), 0.5).tolist() == [0, 1]


def best_boxes_one_by_one(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> list[int]:
    kept: list[int] = []
    for candidate in sorted(range(len(boxes)), key=lambda position: -scores[position]):
        start = np.maximum(boxes[candidate, :2], boxes[kept, :2])
        sides = np.maximum(np.minimum(boxes[candidate, 2:], boxes[kept, 2:]) - start, 0)
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        shared = sides.prod(axis=1)
        if (shared <= threshold * (areas[candidate] + areas[kept] - shared)).all():
            kept.append(candidate)
    return kept


@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 30), levels=st.sampled_from([2, 5, 10**6]))
def test_kept_boxes_and_their_order_are_those_of_the_definition(seed: int, count: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    # Whole pixels and few scores, so that boxes and scores are often equal; halves of areas are exact.
    corners = rng.integers(0, 30, (count, 2))
    boxes = np.concatenate([corners, corners + rng.integers(1, 20, (count, 2))], axis=1).astype(float)
    scores = rng.integers(0, levels, count) / np.float32(levels)
    for threshold in (0.25, 0.5, 0.65):
        assert best_boxes(boxes, scores, threshold).tolist() == best_boxes_one_by_one(boxes, scores, threshold)


def test_a_suppressed_box_suppresses_no_other() -> None:
    row = np.array([[0, 0, 10, 1], [3, 0, 13, 1], [6, 0, 16, 1]], dtype=float)
    assert best_boxes(row, np.array([0.9, 0.8, 0.7]), 0.5).tolist() == [0, 2]


def test_boxes_without_area_and_no_boxes() -> None:
    assert best_boxes(np.array([[0, 0, 0, 0], [5, 5, 9, 9]], dtype=float), np.ones(2), 0.5).tolist() == [0, 1]
    assert best_boxes(np.empty((0, 4)), np.empty(0), 0.5).tolist() == []
