"""Crops of the persons in a single image without annotations."""

import numpy as np
import torch
from numpy.typing import ArrayLike

from transpose.data.box_options import check_boxes_inside
from transpose.data.crops import crop_image
from transpose.data.loader import EvaluationBatch
from transpose.errors import InputError
from transpose.geometry import box_to_center_scale, crop_affines


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
        raise InputError(name, None, "boxes", f"must be [N, 4], not of shape {list(boxes.shape)}")
    if not np.isfinite(boxes).all() or not (boxes[:, 2:] > 0).all():
        raise InputError(name, None, "boxes", "must be finite, with a width and a height above 0")
    check_boxes_inside(boxes, name, (height, width))
    return boxes


def crop_boxes(
    image: np.ndarray, boxes_xywh: np.ndarray, input_size: tuple[int, int], index: np.ndarray
) -> EvaluationBatch:
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
    return EvaluationBatch(torch.from_numpy(crops), center, scale, index)
