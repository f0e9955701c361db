"""A configured source of boxes gives the boxes that its name promises."""

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from transpose.config.dataset import DetectionBoxes, GroundTruthBoxes, SimulatedBoxes
from transpose.data.box_sources import boxes_of_source
from transpose.data.boxes import PersonBoxes, detection_boxes, ground_truth_boxes
from transpose.data.coco import CocoAnnotations, load_annotations
from transpose.data.simulated_detector import simulated_boxes
from transpose.errors import InputError
from transpose.files import write_json
from transpose.skeleton import COCO


@pytest.fixture
def annotations(tiny_dataset: Path) -> CocoAnnotations:
    return load_annotations(tiny_dataset / "annotations.json", COCO)


def assert_equal(boxes: PersonBoxes, expected: PersonBoxes) -> None:
    for field in fields(PersonBoxes):
        np.testing.assert_array_equal(getattr(boxes, field.name), getattr(expected, field.name))


def test_annotated_boxes(annotations: CocoAnnotations) -> None:
    boxes = boxes_of_source(GroundTruthBoxes(kind="ground_truth"), "val", annotations)
    assert_equal(boxes, ground_truth_boxes(annotations))


@pytest.mark.parametrize("seed", [0, 5])
def test_simulated_boxes_obey_their_own_settings(annotations: CocoAnnotations, seed: int) -> None:
    source = SimulatedBoxes(kind="simulated", seed=seed, false_positives=2.0)
    assert_equal(boxes_of_source(source, "val", annotations), simulated_boxes(annotations, source))


def test_detections_are_those_of_the_split(annotations: CocoAnnotations, tmp_path: Path) -> None:
    files = {}
    for split, score in (("train", 0.25), ("val", 0.75)):
        files[split] = str(tmp_path / f"{split}.json")
        box = {"image_id": 11, "category_id": 1, "bbox": [1.0, 2.0, 30.0, 40.0], "score": score}
        write_json(Path(files[split]), [box, box | {"category_id": 2}, box | {"image_id": 999}])
    boxes = boxes_of_source(DetectionBoxes(kind="detections", files=files), "val", annotations)
    assert_equal(boxes, detection_boxes(Path(files["val"]), annotations).boxes)
    assert boxes.scores.tolist() == [0.75]


def test_a_split_without_detections_is_told(annotations: CocoAnnotations) -> None:
    source = DetectionBoxes(kind="detections", files={"test": "a.json", "train": "b.json"})
    with pytest.raises(InputError, match="files: no detection file for split 'val'; given are test, train"):
        boxes_of_source(source, "val", annotations)


def test_a_missing_detection_file_is_told(annotations: CocoAnnotations, tmp_path: Path) -> None:
    source = DetectionBoxes(kind="detections", files={"val": str(tmp_path / "nowhere.json")})
    with pytest.raises(InputError, match=r"nowhere\.json: no such file"):
        boxes_of_source(source, "val", annotations)
