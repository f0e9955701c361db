"""Person boxes and crops of a single image without annotations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from transpose.data.coco import PERSON_CATEGORY, ImageTable
from transpose.data.crops import BoxCrops, crop_image
from transpose.data.detections import read_detections
from transpose.errors import InputError
from transpose.geometry import are_inside, box_to_center_scale, crop_affines

_NO_ID = 2**53
"""First of the ids that no record has, for images without a number in their name."""


def parse_boxes(texts: Sequence[str]) -> np.ndarray:
    """Parse at least one box `x,y,width,height` in image pixels; returns [N, 4].

    Raises:
        InputError: a box is not four numbers, or has no width or no height.
    """
    return np.stack([_parse_box(text) for text in texts])


def _parse_box(text: str) -> np.ndarray:
    try:
        box = np.array([float(part) for part in text.split(",")])
    except ValueError:
        box = np.zeros(0)
    if box.shape != (4,) or not np.isfinite(box).all():
        raise InputError("must be four numbers: x,y,width,height in image pixels", file="box", record=text)
    if not (box[2:] > 0).all():
        raise InputError("has no width or no height", file="box", record=text)
    return box


def boxes_of_image(path: Path, image: Path) -> np.ndarray:
    """Read the person boxes [N, 4] of one image from a detection file; see `boxes_of_each_image`.

    Raises:
        InputError: the file is missing or malformed, or has no person in the image.
    """
    return boxes_of_each_image(path, [image])[0]


def boxes_of_each_image(path: Path, images: Sequence[Path]) -> list[np.ndarray]:
    """Read the person boxes [N, 4] of each image from a detection file, with any score; see `read_detections`.

    Raises:
        InputError: the file is missing or malformed, or has no person in any of the images.
    """
    stems: dict[str, int] = {}
    ids = [
        int(image.stem)
        if image.stem.isascii() and image.stem.isdecimal()
        else _NO_ID + stems.setdefault(image.stem, len(stems))
        for image in images
    ]
    found = _boxes_by_id(path, np.array(ids), [image.name for image in images])
    if not any(map(len, found)):
        if len(images) > 1:
            raise InputError(f"no person in any of the {len(images)} images", file=path, field="image_id")
        problem = f"no person in the image {images[0].name}: none has the id {images[0].stem!r}"
        raise InputError(problem, file=path, field="image_id")
    return found


def boxes_of_frames(path: Path, frame_count: int) -> list[np.ndarray]:
    """Read the person boxes [N, 4] of each frame of a video; `image_id` is the number of the frame, from 0.

    Raises:
        InputError: the file is missing or malformed, or has no person in any frame.
    """
    found = _boxes_by_id(path, np.arange(frame_count), [str(frame) for frame in range(frame_count)])
    if not any(map(len, found)):
        problem = f"no person in any frame: the ids of frames are 0 to {frame_count - 1}"
        raise InputError(problem, file=path, field="image_id")
    return found


def _boxes_by_id(path: Path, ids: np.ndarray, names: list[str]) -> list[np.ndarray]:
    """Return the boxes [n, 4] of each of the images, in the order of the file."""
    images = ImageTable(ids, names, np.ones((len(ids), 2), dtype=np.int32))
    boxes = read_detections(path, images, (PERSON_CATEGORY, "person"), needs_scores=False).boxes
    order = np.argsort(boxes.image_ids, kind="stable")
    starts, ends = (np.searchsorted(boxes.image_ids[order], ids, side) for side in ("left", "right"))
    return [boxes.boxes_xywh[order[start:end]] for start, end in zip(starts, ends, strict=True)]


def check_boxes_inside(boxes_xywh: np.ndarray, image: object, size_hw: tuple[int, int]) -> None:
    """Check that every box [N, 4] overlaps the image; boxes may extend beyond it.

    Raises:
        InputError: a box is entirely outside the image; it is named.
    """
    for box in boxes_xywh[~are_inside(boxes_xywh, size_hw)]:
        shown = ",".join(f"{value:g}" for value in box)
        problem = f"is outside the image, which is {size_hw[1]}x{size_hw[0]}"
        raise InputError(problem, file=image, record=f"box {shown}")


def boxes_in_image(boxes_xywh: ArrayLike | None, image: np.ndarray, name: object) -> np.ndarray:
    """Check boxes and return them as [N, 4] float64; without boxes, return the whole image as one box.

    Args:
        boxes_xywh: [N, 4] image pixels.
        image: [H, W, 3].
        name: of the image, for messages.

    Raises:
        InputError: a box is not four finite numbers, has no width or no height, or is outside the image.
    """
    height, width = image.shape[:2]
    if boxes_xywh is None:
        return np.array([[0.0, 0.0, width, height]])
    boxes = np.asarray(boxes_xywh, dtype=np.float64)
    if not boxes.size:
        return boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise InputError(f"must be [N, 4], not of shape {list(boxes.shape)}", file=name, field="boxes")
    if not np.isfinite(boxes).all() or not (boxes[:, 2:] > 0).all():
        raise InputError("must be finite, with a width and a height above 0", file=name, field="boxes")
    check_boxes_inside(boxes, name, (height, width))
    return boxes


def crop_boxes(image: np.ndarray, boxes_xywh: np.ndarray, input_size: tuple[int, int], index: np.ndarray) -> BoxCrops:
    """Crop boxes from an image.

    Args:
        image: [H, W, 3] uint8 RGB.
        boxes_xywh: [N, 4] image pixels.
        input_size: (height, width) of a crop.
        index: [B] positions of the boxes to crop.
    """
    center, scale = box_to_center_scale(boxes_xywh[index], input_size)
    affines = crop_affines(center, scale, np.zeros(len(index)), input_size)
    crops = np.empty((len(index), *input_size, 3), dtype=np.uint8)
    for row, affine in enumerate(affines):
        crops[row] = crop_image(image, affine, input_size)
    return BoxCrops(crops, center, scale, index)
