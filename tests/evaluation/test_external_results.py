"""Results of other tools in any common form are the same results; what does not fit is one line."""

import codecs
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.torso_data import TORSO, torso_content
from transpose.config.dataset import CategoryChoice
from transpose.data.coco import parse_annotations
from transpose.errors import InputError
from transpose.evaluation.external_results import ExternalResults, read_external_results

Record = dict[str, Any]
POINTS = [[10.0 * k, 5.0 * k, 0.1 * k] for k in range(1, 6)]
SCORES = (0.9, 0.3)


def records() -> list[Record]:
    return [
        {"image_id": n, "category_id": 1, "keypoints": [v for point in POINTS for v in point], "score": score}
        for n, score in zip((1, 2), SCORES, strict=True)
    ]


def read(
    folder: Path,
    edit: Callable[[Record], object] = lambda record: None,
    wrap: Callable[[list[Record]], object] = lambda records: records,
    category: CategoryChoice = None,
    encoding: str = "utf-8",
) -> ExternalResults:
    content = records()
    for record in content:
        edit(record)
    path = folder / "results.json"
    path.write_text(json.dumps(wrap(content)), encoding=encoding)
    truth = parse_annotations(folder / "annotations.json", torso_content(), TORSO)
    return read_external_results(path, truth, TORSO, category)


def by(field: str, form: Callable[[int], object]) -> Callable[[Record], object]:
    def edit(record: Record) -> None:
        record[field] = form(record.pop("image_id"))

    return edit


@pytest.mark.parametrize(
    "edit",
    [
        lambda record: None,
        lambda record: record.update(keypoints=[list(point) for point in POINTS]),
        lambda record: record.update(bbox=[1, 2, 3, 4], segmentation=[], id=3, track=None),
        lambda record: record.pop("category_id"),
        lambda record: record.update(category_id=1.0),
        lambda record: record.update(category_id="1"),
        lambda record: record.update(category_id="person"),
        lambda record: record.update(category=record.pop("category_id") and "person"),
        by("image_id", float),
        by("image_id", str),
        by("image_id", "p{:03d}".format),
        by("image_id", "p{:03d}.png".format),
        by("file_name", "p{:03d}.png".format),
    ],
)
def test_all_forms_are_the_same_results(tmp_path: Path, edit: Callable[[Record], object]) -> None:
    found = read(tmp_path, edit)
    assert found.results.image_ids.tolist() == [1, 2]
    np.testing.assert_array_equal(found.results.keypoints, [POINTS, POINTS])
    assert found.results.scores.tolist() == list(SCORES)
    assert (found.derived, found.left_out) == ({}, {})


@pytest.mark.parametrize("nested", [False, True])
def test_points_without_scores(tmp_path: Path, nested: bool) -> None:
    points = [point[:2] for point in POINTS]
    flat = [value for point in points for value in point]
    found = read(tmp_path, lambda record: record.update(keypoints=points if nested else flat))
    np.testing.assert_array_equal(found.results.keypoints[..., :2], [points, points])
    assert found.results.scores.tolist() == list(SCORES)
    assert np.isfinite(found.results.keypoints).all()


@pytest.mark.parametrize("edit", [lambda record: record.pop("score"), lambda record: record.update(score=None)])
def test_a_score_is_derived_from_keypoint_scores(tmp_path: Path, edit: Callable[[Record], object]) -> None:
    found = read(tmp_path, edit)
    np.testing.assert_allclose(found.results.scores, [0.3, 0.3])
    assert found.derived == {"score from keypoints": 2}


def test_a_dictionary_with_annotations_and_a_byte_order_mark(tmp_path: Path) -> None:
    found = read(tmp_path, wrap=lambda records: {"info": {}, "annotations": records}, encoding="utf-8-sig")
    assert (tmp_path / "results.json").read_bytes().startswith(codecs.BOM_UTF8)
    assert found.results.scores.tolist() == list(SCORES)


def test_unknown_images_and_other_categories_are_left_out(tmp_path: Path) -> None:
    def more(records: list[Record]) -> list[Record]:
        other = {"image_id": 1, "category_id": 3, "bbox": [0, 0, 1, 1]}
        return [records[0] | {"image_id": 77}, other, *records, other]

    found = read(tmp_path, wrap=more)
    assert found.results.image_ids.tolist() == [1, 2]
    assert found.left_out == {"unknown_image": 1, "other_category": 2}


def test_no_results_are_results(tmp_path: Path) -> None:
    assert read(tmp_path, wrap=lambda records: []).results.keypoints.shape == (0, 5, 3)


def test_categories_from_0_need_a_choice(tmp_path: Path) -> None:
    def edit(record: Record) -> None:
        record["category_id"] = 0

    with pytest.raises(InputError, match=r"0 is no annotated category; set --category; its categories are 0$"):
        read(tmp_path, edit)
    assert len(read(tmp_path, edit, category=[0]).results) == 2


def test_image_ids_that_the_annotation_file_writes_as_texts(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps([record | {"image_id": f"image-{record['image_id']}"} for record in records()]))
    truth = parse_annotations(tmp_path / "annotations.json", torso_content(), TORSO)
    found = read_external_results(path, truth, TORSO, written_ids={"image-1": 1, "image-2": 2})
    assert found.results.image_ids.tolist() == [1, 2]
    # Numbers that stand for the texts here are not ids of the file.
    path.write_text(json.dumps(records()))
    with pytest.raises(InputError, match="none is in an image"):
        read_external_results(path, truth, TORSO, written_ids={"image-1": 1, "image-2": 2})


def test_keypoints_in_several_fields_are_joined(tmp_path: Path) -> None:
    def split(record: Record) -> None:
        record["keypoints"], record["foot_kpts"] = record["keypoints"][:9], record["keypoints"][9:]

    whole, parts = records(), records()
    for record in parts:
        split(record)
    truth = parse_annotations(tmp_path / "annotations.json", torso_content(), TORSO)
    for content in (whole, parts):
        path = tmp_path / "results.json"
        path.write_text(json.dumps(content))
        found = read_external_results(path, truth, TORSO, keypoint_fields=("keypoints", "foot_kpts"))
        np.testing.assert_array_equal(found.results.keypoints, [POINTS, POINTS])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda r: r.update(keypoints=[1.0] * 51), "must have 15 numbers, or 10 .* 5 keypoints of 'torso', not 51"),
        (lambda r: r.update(keypoints=[[1.0, 2.0]] * 17), "must have 15 numbers, or 10 .* not 34"),
        (lambda r: r.update(keypoints=None), "keypoints: must be a list of 15 numbers"),
        (lambda r: r.update(keypoints=[float("nan")] * 15), "keypoints: must be finite"),
        (lambda r: r.update(keypoints=[*[[1.0, 2.0, 0.5]] * 4, 3]), "must have 15 numbers"),
        (lambda r: r.pop("keypoints"), r"record\[0\]: keypoints: missing"),
        (lambda r: r.update(score="high"), r"record\[0\]: score: must be a number"),
        (lambda r: r.update(score=None, keypoints=[1.0] * 10), r"record\[0\]: score: missing, and its keypoints have"),
        (lambda r: r.pop("image_id"), r"record\[0\]: image_id: missing"),
        (lambda r: r.update(image_id=r["image_id"] + 90), r"none is in an image of .*; the first is in 91"),
        (lambda r: r.update(category_id=5), "none is 1, 'person'; set --category; its categories are 5"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path: Path, edit: Callable[[Record], object], message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        read(tmp_path, edit)
    assert "\n" not in str(raised.value)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    for wrap in (lambda records: {"results": records}, lambda records: records[0]["keypoints"]):
        with pytest.raises(InputError):
            read(tmp_path, wrap=wrap)
