"""A data set is checked before training: counts, box files, and splits that cannot be used."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.torso_data import Content, torso_dataset, torso_folder
from transpose.config.dataset import Dataset
from transpose.data.check import CheckedSplit, check_dataset
from transpose.data.import_split import folder_source
from transpose.errors import InputError


def checked(dataset: Dataset, split: str = "val") -> CheckedSplit:
    files = {name: folder_source(dataset, name).annotations for name in dataset.splits}
    return check_dataset(dataset, files, [split], 1)[split]


def write_detections(folder: Path, *changes: dict[str, Any]) -> Path:
    records = [{"image_id": 1, "category_id": 1, "bbox": [5, 10, 60, 80], "score": 0.9} | change for change in changes]
    (folder / "detections.json").write_text(json.dumps(records))
    return folder / "detections.json"


def boxes_with(path: Path, **keys: object) -> dict[str, Any]:
    detections = {"kind": "detections", "files": {"val": str(path)}, **keys}
    remote = {"kind": "detections", "files": {"val": "https://example.org/boxes.json"}}
    return {"ground_truth": {"kind": "ground_truth"}, "found": detections, "remote": remote}


def crowd(content: Content) -> None:
    content["annotations"][0]["iscrowd"] = 1


def test_a_split_and_its_boxes_are_counted(tmp_path: Path) -> None:
    folder = torso_folder(tmp_path / "mine", crowd)
    path = write_detections(tmp_path, {}, {"category_id": 3}, {"image_id": 77}, {"image_id": 2, "bbox": [0, 0, 0, 4]})
    found = checked(torso_dataset(folder, boxes=boxes_with(path))).to_json()
    assert {key: found[key] for key in ("images", "persons", "derived", "left_out", "warnings", "unusable")} == {
        "images": 2,
        "persons": 3,
        "derived": {},
        "left_out": {"crowd": 1},
        "warnings": [],
        "unusable": None,
    }
    assert found["boxes"] == {
        "ground_truth": {"count": 3, "left_out": {"crowd": 1}, "warnings": []},
        "found": {
            "count": 1,
            "left_out": {"other_categories": 1, "unknown_images": 1, "empty_boxes": 1},
            "warnings": [],
        },
        "remote": {"count": None, "left_out": {}, "warnings": []},
    }


def test_images_without_boxes_are_a_warning(tmp_path: Path) -> None:
    def add_images(content: Content) -> None:
        content["images"] += [content["images"][0] | {"id": number} for number in (3, 4)]

    folder = torso_folder(tmp_path / "mine", add_images)
    found = checked(torso_dataset(folder, boxes=boxes_with(write_detections(tmp_path, {}))))
    assert [warning.kind for warning in found.boxes["found"].warnings] == ["no_boxes"]
    assert [warning.kind for warning in found.split.check.warnings] == ["duplicate"]


@pytest.mark.parametrize("category", [0, None])
def test_categories_counted_from_0_need_a_key(tmp_path: Path, category: int | None) -> None:
    folder = torso_folder(tmp_path / "mine")
    path = write_detections(tmp_path, {"category_id": 0}, {"category_id": 1})
    dataset = torso_dataset(folder, boxes=boxes_with(path, category=category))
    if category is None:
        with pytest.raises(InputError, match="0 is no annotated category; set `category:` of the boxes"):
            checked(dataset)
    else:
        assert checked(dataset).boxes["found"].count == 1


def test_a_split_without_a_labelled_person_cannot_be_used(tmp_path: Path) -> None:
    def unlabelled(content: Content) -> None:
        for record in content["annotations"]:
            record["keypoints"] = [0] * 15

    found = checked(torso_dataset(torso_folder(tmp_path / "mine", unlabelled)))
    assert (found.reason, found.boxes) == ("no person has a labelled keypoint", {})


def test_an_unknown_split_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="torso: split: no split 'test'; known are val"):
        checked(torso_dataset(torso_folder(tmp_path / "mine")), "test")
