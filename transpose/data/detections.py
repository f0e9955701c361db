"""Read the person boxes of detectors and other tools, in any common form of the COCO detection format."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from transpose.config.dataset import CategoryChoice
from transpose.data.boxes import PersonBoxes
from transpose.data.coco import ImageTable
from transpose.data.fields import as_numbers, as_vectors, column_at, read_records
from transpose.errors import InputError
from transpose.files import read_json

Record = dict[str, Any]


@dataclass(frozen=True)
class Detections:
    """The detections for a set of images."""

    boxes: PersonBoxes
    other_categories: int
    """Skipped records that are not persons."""
    unknown_images: int
    """Skipped records of images that are not annotated."""
    empty_boxes: int
    """Skipped records of persons without a width or a height."""

    @property
    def left_out(self) -> int:
        """Number of skipped records."""
        return self.other_categories + self.unknown_images + self.empty_boxes


def read_detections(
    path: Path,
    images: ImageTable,
    categories: Collection[int | str],
    choice: CategoryChoice = None,
    needs_scores: bool = True,
) -> Detections:
    """Read the persons of a detection file, unclipped and with any score (as the official evaluation does).

    A record's category is a number (`category_id`) or a name (`category_id`, `category` or `category_name`); a record
    without a category is a person. Its image is given by id, file name or stem, as a number or a text. Its box has four
    numbers, or five, of which the last is the score.

    Args:
        categories: ids and names of the annotated categories.
        choice: ids or names of persons in this file; None: those of the annotations.
        needs_scores: refuse records without a score; otherwise it is 1.

    Raises:
        InputError: the file is missing or malformed, or its categories do not fit those of the annotations.
    """
    records = read_records(path, read_json(path))
    is_person = _are_persons(path, records, categories, choice)
    persons = np.flatnonzero(is_person).tolist()
    numbers = column_at(path, records, persons, "bbox", _as_boxes_and_scores)
    image_ids = _image_ids(path, records, persons, images)
    if numbers.shape[1] == 4 or "score" in records[persons[0]]:
        if not needs_scores:
            records = [{"score": 1.0, **record} for record in records]
        scores = column_at(path, records, persons, "score", as_numbers)
    else:
        scores = numbers[:, 4]
    boxes = PersonBoxes(image_ids, numbers[:, :4], scores, np.full(len(persons), -1))
    is_empty, is_known = ~(boxes.boxes_xywh[:, 2:] > 0).all(axis=1), image_ids >= 0
    unknown = int((~is_known).sum())
    empty = int((is_known & is_empty).sum())
    return Detections(boxes.select(is_known & ~is_empty), len(records) - len(persons), unknown, empty)


def _are_persons(
    path: Path, records: list[Record], categories: Collection[int | str], choice: CategoryChoice
) -> list[bool]:
    """Return whether each record is a person."""
    found = [_category_of(record) for record in records]
    persons = set(categories if choice is None else choice if isinstance(choice, list) else [choice])
    counts = Counter(category for category in found if category is not None)
    hint = f"its categories are {', '.join(f'{name!r}' for name in sorted(counts, key=str)[:8])}"
    if choice is None and 0 in counts and 0 not in persons:
        # Numbered from 0, so that the category 1 of COCO's persons is another one here.
        raise InputError(path, None, "category_id", f"0 is no annotated category; set `category:` of the boxes; {hint}")
    if counts and not counts.keys() & persons and None not in found:
        text = ", ".join(map(repr, sorted(persons, key=str)))
        raise InputError(path, None, "category_id", f"none is {text}; set `category:` of the boxes; {hint}")
    return [category is None or category in persons for category in found]


def _category_of(record: Record) -> int | str | None:
    value = record.get("category_id", record.get("category", record.get("category_name")))
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdecimal():
        return int(value)
    return value if isinstance(value, int | str) else None


def _as_boxes_and_scores(values: list[Any]) -> np.ndarray:
    """Convert [x, y, width, height], or with a score behind them, to [N, 4 or 5] float64."""
    has_scores = bool(values) and isinstance(values[0], list) and len(values[0]) == 5
    numbers = as_vectors(values, 5 if has_scores else 4)
    if (numbers[:, 2:4] < 0).any():
        raise ValueError("has a negative width or height")
    return numbers


def _image_ids(path: Path, records: list[Record], persons: list[int], images: ImageTable) -> np.ndarray:
    """Return the image ids [N] int64 of the records, -1 for unknown images."""
    by_file = bool(persons) and "image_id" not in records[persons[0]] and "file_name" in records[persons[0]]
    field = "file_name" if by_file else "image_id"
    names = column_at(path, records, persons, field, _as_image_names)
    if all(type(name) is int for name in names):
        ids = np.array(names, dtype=np.int64)
        known = images.find(ids) >= 0
        if known.any() or not len(names):
            return np.where(known, ids, -1)
    by_name: dict[int | str, int] = {}
    for image_id, file_name in zip(images.ids.tolist(), images.file_names, strict=True):
        stem = PurePosixPath(file_name).stem
        number = [int(stem)] if stem.isascii() and stem.isdecimal() else []
        for name in (*number, stem, PurePosixPath(file_name).name, file_name, str(image_id), image_id):
            by_name[name] = image_id
    return np.array([by_name.get(name, -1) for name in names], dtype=np.int64)


def _as_image_names(values: list[Any]) -> list[int | str]:
    names: list[Any] = [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
    if not all(type(name) is int or isinstance(name, str) for name in names):
        raise ValueError("must be an id, a file name or a stem")
    return names
