"""Which category and image a record of detections or results belongs to, named in any common form."""

from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from transpose.config.dataset import CategoryChoice
from transpose.data.coco import ImageTable
from transpose.data.fields import column_at, whole_number
from transpose.errors import InputError

Record = dict[str, Any]


def are_persons(
    path: Path, records: list[Record], categories: Collection[int | str], choice: CategoryChoice, setting: str
) -> list[bool]:
    """Return whether each record is a person.

    A record's category is a number (`category_id`) or a name (`category_id`, `category` or `category_name`); a record
    without a category is a person.

    Args:
        categories: ids and names of the annotated categories.
        choice: ids or names of persons in this file; None: those of the annotations.
        setting: how the user sets `choice`, for messages.

    Raises:
        InputError: no record is a person, or categories are numbered from 0.
    """
    found = [_category_of(record) for record in records]
    persons = set(categories if choice is None else choice if isinstance(choice, list) else [choice])
    counts = Counter(category for category in found if category is not None)
    hint = f"its categories are {', '.join(f'{name!r}' for name in sorted(counts, key=str)[:8])}"
    if choice is None and 0 in counts and 0 not in persons:
        # Numbered from 0, so that the category 1 of COCO's persons is another one here.
        raise InputError(f"0 is no annotated category; set {setting}; {hint}", file=path, field="category_id")
    if counts and not counts.keys() & persons and None not in found:
        text = ", ".join(map(repr, sorted(persons, key=str)))
        raise InputError(f"none is {text}; set {setting}; {hint}", file=path, field="category_id")
    return [category is None or category in persons for category in found]


def _category_of(record: Record) -> int | str | None:
    value = whole_number(record.get("category_id", record.get("category", record.get("category_name"))))
    return value if isinstance(value, int | str) else None


def image_ids(
    path: Path,
    records: list[Record],
    persons: list[int],
    images: ImageTable,
    written_ids: Mapping[int | str, int] | None = None,
) -> np.ndarray:
    """Return the image ids [N] int64 of the records at positions `persons`, -1 for unknown images.

    An image is given by id, file name or stem, as a number or a text.

    Args:
        written_ids: ids that the annotation file itself has -> ids of `images`; None: they are the same.

    Raises:
        InputError: a record has no image, or one of another type.
    """
    by_file = bool(persons) and "image_id" not in records[persons[0]] and "file_name" in records[persons[0]]
    field = "file_name" if by_file else "image_id"
    names = column_at(path, records, persons, field, _as_image_names)
    by_id: Mapping[int | str, int] = {i: i for i in images.ids.tolist()} if written_ids is None else written_ids
    if all(type(name) is int for name in names):
        ids = np.array([by_id.get(name, -1) for name in names], dtype=np.int64)
        if (ids >= 0).any():
            return ids
    by_name: dict[int | str, int] = {}
    for image_id, file_name in zip(images.ids.tolist(), images.file_names, strict=True):
        stem = PurePosixPath(file_name).stem
        number = [int(stem)] if stem.isascii() and stem.isdecimal() else []
        for name in (*number, stem, PurePosixPath(file_name).name, file_name):
            by_name[name] = image_id
    by_name |= {str(name): image_id for name, image_id in by_id.items()} | dict(by_id)
    return np.array([by_name.get(name, -1) for name in names], dtype=np.int64)


def _as_image_names(values: list[Any]) -> list[int | str]:
    names: list[Any] = [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
    if not all(type(name) is int or isinstance(name, str) for name in names):
        raise ValueError("must be an id, a file name or a stem")
    return names
