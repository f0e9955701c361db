import json

import numpy as np
import pytest

from transpose.data.boxes import PersonBoxes, ground_truth_boxes, read_boxes, write_boxes
from transpose.data.coco import load_annotations, training_instances
from transpose.errors import InputError
from transpose.skeleton import COCO_PERSON


@pytest.fixture
def annotations(tiny_dataset):
    return load_annotations(tiny_dataset / "annotations.json", COCO_PERSON)


def record(**fields):
    return {"image_id": 11, "category_id": 1, "bbox": [1.5, 2, 30, 40], "score": 0.5} | fields


def write(tmp_path, *records):
    path = tmp_path / "detections.json"
    path.write_text(json.dumps(records))
    return path


def test_ground_truth_is_the_persons_to_train_on(annotations):
    boxes, persons = ground_truth_boxes(annotations), training_instances(annotations)
    np.testing.assert_array_equal(boxes.boxes_xywh, persons.boxes_xywh)
    np.testing.assert_array_equal(boxes.annotation_ids, persons.annotation_ids)
    assert (boxes.scores == 1).all()


def test_boxes_return_exactly_from_their_file(annotations, tmp_path):
    rng = np.random.default_rng(0)
    for boxes in (
        ground_truth_boxes(annotations),
        PersonBoxes(np.array([11, 12]), rng.uniform(1, 99, (2, 4)), rng.random(2), np.array([-1, 103])),
        PersonBoxes(np.empty(0, dtype=np.int64), np.empty((0, 4)), np.empty(0), np.empty(0, dtype=np.int64)),
    ):
        write_boxes(boxes, tmp_path / "boxes.json")
        again = read_boxes(tmp_path / "boxes.json")
        for name, values in vars(boxes).items():
            np.testing.assert_array_equal(getattr(again, name), values)
            assert getattr(again, name).dtype == values.dtype


def test_written_boxes_are_coco_detections(annotations, tmp_path):
    write_boxes(ground_truth_boxes(annotations), tmp_path / "boxes.json")
    first = json.loads((tmp_path / "boxes.json").read_text())[0]
    assert first == {"image_id": 11, "category_id": 1, "bbox": [20, 15, 50, 90], "score": 1, "annotation_id": 101}


FAULTS = {
    "image_id missing": ({"image_id": None}, "image_id"),
    "image_id a text": ({"image_id": "11"}, "image_id"),
    "category ill-typed": ({"category_id": 1.0}, "category_id"),
    "box short": ({"bbox": [1, 2, 3]}, "bbox"),
    "box not finite": ({"bbox": [1, 2, 3, float("inf")]}, "bbox"),
    "box without width": ({"bbox": [1, 2, 0, 3]}, "bbox"),
    "box negative": ({"bbox": [1, 2, 3, -3]}, "bbox"),
    "score missing": ({"score": None}, "score"),
    "score not finite": ({"score": float("nan")}, "score"),
    "person ill-typed": ({"annotation_id": "a"}, "annotation_id"),
}


@pytest.mark.parametrize(("fields", "field"), FAULTS.values(), ids=FAULTS.keys())
def test_faults_are_reported_with_record_and_field(tmp_path, fields, field):
    faulty = {key: value for key, value in record(**fields).items() if value is not None}
    path = write(tmp_path, record(), faulty)
    with pytest.raises(InputError) as caught:
        read_boxes(path)
    assert str(caught.value).startswith(f"{path}: record[1]: {field}: ")


def test_own_files_hold_persons_only(tmp_path):
    with pytest.raises(InputError, match="category_id"):
        read_boxes(write(tmp_path, record(category_id=2)))


@pytest.mark.parametrize("content", ["{}", "[1]", "nothing"])
def test_files_that_are_no_boxes_are_refused(tmp_path, content):
    path = tmp_path / "detections.json"
    path.write_text(content)
    with pytest.raises(InputError):
        read_boxes(path)
