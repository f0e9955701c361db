"""Crop persons from images."""

import math
from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class BoxCrops:
    """B crops of one box each, as arrays; see `EvaluationBatch` for tensors."""

    crops: np.ndarray
    """[B, h, w, 3] uint8 RGB."""
    center: np.ndarray
    """[B, 2] float64, image pixels."""
    scale: np.ndarray
    """[B, 2] float64, units of 200 image pixels."""
    index: np.ndarray
    """[B] int64: positions of the boxes."""


def crop_image(image: np.ndarray, affine: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Crop a person by a bilinear warp, with zeros outside the image (matches the official evaluation).

    Args:
        image: [H, W, 3] uint8.
        affine: [2, 3] from image to crop pixels.
        size_hw: (height, width) of the crop.

    Returns:
        [h, w, 3] uint8.
    """
    height, width = size_hw
    return cv2.warpAffine(image, affine, (width, height), flags=cv2.INTER_LINEAR)


def rows_under_crop(affine: np.ndarray, size_hw: tuple[int, int], image_height: int) -> slice:
    """Return the image rows that `crop_image` reads, and two more on both sides for its rounding.

    Args:
        affine: [2, 3] from image to crop pixels.
        size_hw: (height, width) of the crop.
        image_height: in pixels.
    """
    (_, _, _), (per_x, per_y, origin) = cv2.invertAffineTransform(affine).tolist()
    across, down = per_x * (size_hw[1] - 1), per_y * (size_hw[0] - 1)
    top = origin + min(across, 0.0) + min(down, 0.0)
    bottom = origin + max(across, 0.0) + max(down, 0.0)
    start = min(max(math.floor(top) - 2, 0), image_height)
    return slice(start, min(max(math.ceil(bottom) + 3, start), image_height))
