"""Person boxes of single images without annotations."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from transpose.data.coco import PERSON_CATEGORY
from transpose.data.fields import as_boxes, as_integers, column, read_records
from transpose.errors import InputError
from transpose.files import read_json


def parse_boxes(texts: Sequence[str]) -> np.ndarray:
    """Parse at least one box; returns [N, 4]. See `parse_box`."""
    return np.stack([parse_box(text) for text in texts])


def parse_box(text: str) -> np.ndarray:
    """Parse `x,y,width,height` in image pixels; returns [4].

    Raises:
        InputError: it is not four numbers, or has no width or no height.
    """
    try:
        box = np.array([float(part) for part in text.split(",")])
    except ValueError:
        box = np.zeros(0)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise InputError("box", text, None, "must be four numbers: x,y,width,height in image pixels")
    if not (box[2:] > 0).all():
        raise InputError("box", text, None, "has no width or no height")
    return box


def boxes_of_image(path: Path, image: Path) -> np.ndarray:
    """Read the person boxes [N, 4] of one image from a COCO detection file, with any score.

    A record belongs to the image if its `image_id` equals the image's file name without suffix, as text or as a
    number. Records of other categories are skipped; a record without a category is a person.

    Raises:
        InputError: the file is missing or malformed, or has no person in the image.
    """
    records = read_records(path, read_json(path))

    def name(position: int) -> str:
        return f"record[{position}]"

    of_image = column(path, records, "image_id", _as_image_ids, name)
    categorised = [position for position, record in enumerate(records) if "category_id" in record]
    categories = np.full(len(records), PERSON_CATEGORY)
    categories[categorised] = column(
        path,
        [records[position] for position in categorised],
        "category_id",
        as_integers,
        lambda position: name(categorised[position]),
    )
    stem = image.stem
    chosen = [
        position
        for position, image_id in enumerate(of_image)
        if categories[position] == PERSON_CATEGORY
        and (image_id == stem or (stem.isascii() and stem.isdecimal() and image_id == int(stem)))
    ]
    if not chosen:
        raise InputError(path, None, "image_id", f"no person in the image {image.name}: none has the id {stem!r}")
    boxes = column(
        path, [records[position] for position in chosen], "bbox", as_boxes, lambda position: name(chosen[position])
    )
    for position, box in zip(chosen, boxes, strict=True):
        if not (box[2:] > 0).all():
            raise InputError(path, name(position), "bbox", "has no width or no height")
    return boxes


def check_boxes_inside(boxes_xywh: np.ndarray, image: object, size_hw: tuple[int, int]) -> None:
    """Check that every box [N, 4] overlaps the image; boxes may extend beyond it.

    Raises:
        InputError: a box is entirely outside the image; it is named.
    """
    height, width = size_hw
    for box in boxes_xywh:
        if box[0] >= width or box[1] >= height or (box[:2] + box[2:] <= 0).any():
            shown = ",".join(f"{value:g}" for value in box)
            raise InputError(image, f"box {shown}", None, f"is outside the image, which is {width}x{height}")


def _as_image_ids(values: list[Any]) -> list[int | str]:
    if not {type(value) for value in values} <= {int, str}:
        raise ValueError("must be an integer or a string")
    return values
