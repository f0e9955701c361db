"""Detections of any common form give the same boxes; categories and images that do not fit are reported."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from transpose.config.dataset import CategoryChoice
from transpose.data.coco import ImageTable
from transpose.data.detections import Detections, read_detections
from transpose.errors import InputError

IMAGES = ImageTable(np.array([7, 9]), ["p007.jpg", "sub/left.jpg"], np.full((2, 2), 100, dtype=np.int32))

Record = dict[str, Any]
RECORDS: list[Record] = [
    {"image_id": 7, "category_id": 1, "bbox": [1.0, 2.0, 30.0, 40.0], "score": 0.9},
    {"image_id": 9, "category_id": 1, "bbox": [5.0, 6.0, 20.0, 10.0], "score": 0.25},
    {"image_id": 9, "category_id": 3, "bbox": [0.0, 0.0, 0.0, 0.0], "score": 0.5},
]


def detections(
    folder: Path,
    edit: Callable[[Record], object],
    choice: CategoryChoice = None,
    known: tuple[int | str, ...] = (1, "person"),
) -> Detections:
    records = [dict(record) for record in RECORDS]
    for record in records:
        edit(record)
    (folder / "detections.json").write_text(json.dumps(records), encoding="utf-8")
    return read_detections(folder / "detections.json", IMAGES, known, choice)


def by(field: str, *names: object) -> Callable[[Record], object]:
    """Name the images in another way."""

    def edit(record: Record) -> None:
        name = names[record.pop("image_id") == 9]
        record[field] = name

    return edit


def category_by(field: str, person: object, other: object) -> Callable[[Record], object]:
    def edit(record: Record) -> None:
        record[field] = person if record.pop("category_id") == 1 else other

    return edit


def five_numbers(record: Record) -> None:
    record["bbox"].append(record.pop("score"))


def with_own_box(edit: Callable[[Record], object]) -> Callable[[Record], object]:
    def copied(record: Record) -> None:
        record["bbox"] = list(record["bbox"])
        edit(record)

    return copied


@pytest.mark.parametrize(
    ("edit", "choice"),
    [
        (lambda record: None, None),
        (by("image_id", "7", "9"), None),
        (by("image_id", 7.0, 9.0), None),
        (by("image_id", "p007", "left"), None),
        (by("image_id", "p007.jpg", "left.jpg"), None),
        (by("file_name", "p007.jpg", "sub/left.jpg"), None),
        (category_by("category_id", "1", "3"), None),
        (category_by("category_id", 1.0, 3.0), None),
        (category_by("category", "person", "car"), None),
        (category_by("category_name", "person", "car"), None),
        (category_by("category_id", 0, 2), 0),
        (category_by("category_id", 4, 2), [4, 5]),
        (category_by("category", "rider", "car"), "rider"),
        (with_own_box(five_numbers), None),
        (with_own_box(lambda record: record["bbox"].append(record["score"])), None),
    ],
)
def test_all_forms_give_the_same_boxes(
    tmp_path: Path, edit: Callable[[Record], object], choice: CategoryChoice
) -> None:
    found = detections(tmp_path, edit, choice)
    assert found.boxes.image_ids.tolist() == [7, 9]
    assert found.boxes.boxes_xywh.tolist() == [[1, 2, 30, 40], [5, 6, 20, 10]]
    assert found.boxes.scores.tolist() == [0.9, 0.25]
    assert (found.other_categories, found.unknown_images, found.empty_boxes) == (1, 0, 0)


def test_some_boxes_may_have_their_score_behind_them(tmp_path: Path) -> None:
    def edit(record: Record) -> None:
        if record["score"] == 0.25:
            record["bbox"] = [*record["bbox"], record.pop("score")]

    assert detections(tmp_path, edit).boxes.scores.tolist() == [0.9, 0.25]


def test_boxes_are_not_clipped_and_have_any_score(tmp_path: Path) -> None:
    found = detections(tmp_path, lambda record: record.update(bbox=[-20, -20, 500.25, 400], score=-0.1))
    assert found.boxes.boxes_xywh.tolist() == [[-20, -20, 500.25, 400]] * 2
    assert found.boxes.scores.tolist() == [-0.1, -0.1]


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    def edit(record: Record) -> None:
        if record["category_id"] == 3:
            record["category_id"] = 1
        if record["score"] == 0.25:
            record["image_id"] = 1234

    found = detections(tmp_path, edit)
    assert (len(found.boxes), found.other_categories, found.unknown_images, found.empty_boxes) == (1, 0, 1, 1)


def test_the_category_of_imported_annotations_counts(tmp_path: Path) -> None:
    found = detections(tmp_path, category_by("category_id", 2, 1), known=(2, "skeleton"))
    assert (len(found.boxes), found.other_categories) == (2, 1)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        # Numbered from 0: 1 would be bicycles.
        (category_by("category_id", 0, 1), r"category_id: 0 is no annotated category; set `category:` .* are 0, 1$"),
        (category_by("category_id", 17, 18), r"category_id: none is 1, 'person'; set `category:` .* are 17, 18$"),
        (category_by("category", "dog", "cat"), r"none is 1, 'person'; set `category:` of the boxes; .* 'cat', 'dog'$"),
        (by("image_id", None, None), r"record\[0\]: image_id: must be an id, a file name or a stem"),
        (lambda record: record.update(bbox=[1, 2, 3]), r"record\[0\]: bbox: must have 4 numbers, not 3"),
        (lambda record: record.update(bbox=[1, 2, -3, 4]), r"record\[0\]: bbox: has a negative width or height"),
        (lambda record: record.update(bbox=[1, 2, None, 4]), r"record\[0\]: bbox: must contain 4 numbers"),
        (lambda record: record.pop("score"), r"record\[0\]: score: missing"),
        (lambda record: record.pop("image_id"), r"record\[0\]: image_id: missing"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path: Path, edit: Callable[[Record], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        detections(tmp_path, edit)
