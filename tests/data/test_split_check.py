"""Annotations in plain COCO are checked without images, with the result of the check of a folder."""

import json
from pathlib import Path

import pytest

from tests.helpers.torso_data import TORSO, Content, torso_dataset, torso_folder
from transpose.config.load import read_record
from transpose.data.import_split import folder_source, read_split
from transpose.data.split_check import SplitCheck, imported_check, write_split_check
from transpose.errors import InputError


def suspicious(content: Content) -> None:
    """A crowd, the same person twice, and more persons than COCO's evaluation compares."""
    first, second, *_ = content["annotations"]
    first["iscrowd"] = 1
    content["annotations"] += [second | {"id": number} for number in range(20, 41)]


def test_it_is_that_of_a_folder_and_needs_no_images(tmp_path: Path) -> None:
    folder = torso_folder(tmp_path / "mine", suspicious)
    expected = read_split(folder_source(torso_dataset(folder), "val"), 1, decode=False).check
    for image in (folder / "images").iterdir():
        image.unlink()
    check = write_split_check(folder / "annotations.json", TORSO, tmp_path / "checks" / "val.json")
    assert check == expected == read_record(SplitCheck, tmp_path / "checks" / "val.json")
    assert (check.images, check.persons, check.left_out) == (2, 24, {"crowd": 1})
    assert {warning.kind: warning.count for warning in check.warnings} == {"duplicate": 21, "over_20_persons": 1}


def test_a_split_without_labels_is_a_warning(tmp_path: Path) -> None:
    folder = torso_folder(tmp_path / "mine", lambda content: content["annotations"].clear())
    check = write_split_check(folder / "annotations.json", TORSO, tmp_path / "check.json")
    assert [(warning.kind, warning.count) for warning in check.warnings] == [("no_labels", 0)]


def test_wrong_annotations_are_one_line(tmp_path: Path) -> None:
    def edit(content: Content) -> None:
        content["annotations"][0]["image_id"] = 9

    folder = torso_folder(tmp_path / "mine", edit)
    with pytest.raises(InputError, match="annotation 10: image_id: no image has the id 9"):
        write_split_check(folder / "annotations.json", TORSO, tmp_path / "check.json")
    assert not (tmp_path / "check.json").exists()


def test_annotations_that_were_not_imported_have_no_check(tmp_path: Path) -> None:
    assert imported_check(tmp_path / "annotations.json") is None
    (tmp_path / "check.json").write_text(json.dumps({"images": 3}))
    with pytest.raises(InputError, match=r"check\.json: persons: Field required"):
        imported_check(tmp_path / "annotations.json")
