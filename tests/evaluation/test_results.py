import json
from dataclasses import replace

import numpy as np
import pytest

from transpose.errors import InputError
from transpose.evaluation.results import read_results, write_results
from transpose.skeleton import COCO_PERSON

RESULT = {"image_id": 3, "category_id": 1, "keypoints": [1.5] * 51, "score": 0.5}


def test_results_read_back_exactly(make_scene, tmp_path):
    results = make_scene(seed=1).results
    write_results(results, tmp_path / "results.json")
    again = read_results(tmp_path / "results.json", COCO_PERSON)
    np.testing.assert_array_equal(again.image_ids, results.image_ids)
    np.testing.assert_array_equal(again.keypoints, results.keypoints)
    np.testing.assert_array_equal(again.scores, results.scores)


def test_an_evaluation_server_finds_its_fields_and_no_others(make_scene, tmp_path):
    write_results(make_scene().results, tmp_path / "results.json")
    records = json.loads((tmp_path / "results.json").read_text())
    assert {tuple(sorted(record)) for record in records} == {("category_id", "image_id", "keypoints", "score")}
    assert {record["category_id"] for record in records} == {1}
    assert {len(record["keypoints"]) for record in records} == {51}


def test_no_results_are_results(no_results, tmp_path):
    write_results(no_results, tmp_path / "results.json")
    assert json.loads((tmp_path / "results.json").read_text()) == []
    assert read_results(tmp_path / "results.json", COCO_PERSON).keypoints.shape == (0, 17, 3)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"image_id": "3"}, "image_id"),
        ({"image_id": 3.5}, "image_id"),
        ({"category_id": 2}, "category_id"),
        ({"keypoints": [1.0] * 48}, "keypoints"),
        ({"keypoints": [*([1.0] * 50), "1"]}, "keypoints"),
        ({"keypoints": None}, "keypoints"),
        ({"keypoints": [float("nan")] * 51}, "keypoints"),
        ({"keypoints": [float("inf")] * 51}, "keypoints"),
        ({"score": float("nan")}, "score"),
        ({"score": True}, "score"),
    ],
)
def test_a_wrong_field_is_named(change, field, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps([RESULT, RESULT | change]))
    with pytest.raises(InputError) as raised:
        read_results(path, COCO_PERSON)
    assert (raised.value.file, raised.value.record, raised.value.field) == (path, "record[1]", field)


@pytest.mark.parametrize("field", sorted(RESULT))
def test_a_missing_field_is_named(field, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps([{key: value for key, value in RESULT.items() if key != field}]))
    with pytest.raises(InputError, match=f"{field}: missing"):
        read_results(path, COCO_PERSON)


@pytest.mark.parametrize("content", ["{}", "[3]", "nothing"])
def test_a_file_of_something_else_is_refused(content, tmp_path):
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(InputError):
        read_results(path, COCO_PERSON)


def test_predictions_may_name_their_person(make_scene, tmp_path):
    results = make_scene(seed=1).results
    ids = np.arange(len(results)) * 2
    write_results(replace(results, annotation_ids=ids), tmp_path / "results.json")
    np.testing.assert_array_equal(read_results(tmp_path / "results.json", COCO_PERSON).annotation_ids, ids)
    write_results(results, tmp_path / "results.json")
    assert read_results(tmp_path / "results.json", COCO_PERSON).annotation_ids is None


def test_either_all_predictions_name_their_person_or_none(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps([RESULT | {"annotation_id": 3}, RESULT]))
    with pytest.raises(InputError, match=r"record\[1\]: annotation_id: missing"):
        read_results(path, COCO_PERSON)
