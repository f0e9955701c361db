"""Persons in images, as commands are given them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from transpose.errors import InputError

if TYPE_CHECKING:
    from transpose.reporting.predict_images import ImagePersons


def persons_in(images: Sequence[Path], box: list[str] | None, boxes: Path | None) -> "list[ImagePersons]":
    """Return images with the boxes of `--box` or `--boxes`.

    Raises:
        InputError: a box or the detection file is wrong, or the options do not fit the images.
    """
    from transpose.data.image_boxes import boxes_of_each_image, parse_boxes
    from transpose.reporting.predict_images import ImagePersons

    if box and (boxes is not None or len(images) > 1):
        raise InputError("goes with one image and without --boxes", file="--box")
    if boxes is None:
        given = parse_boxes(box) if box else None
        return [ImagePersons(path, given) for path in images]
    found = boxes_of_each_image(boxes, images)
    if empty := sum(not len(one) for one in found):
        print(f"{empty} of {len(images)} images have no person in {boxes}.", file=sys.stderr)
    return [ImagePersons(path, one) for path, one in zip(images, found, strict=True)]


def note_whole_images(count: int) -> None:
    """Report how many whole images were taken as boxes, if any."""
    if count:
        images = "image was taken as one person's box" if count == 1 else f"{count} images were each taken as one box"
        print(f"Without --box or --boxes the whole {images}.", file=sys.stderr)
