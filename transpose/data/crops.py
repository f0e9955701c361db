"""Person crops and their normalisation."""

import math
from functools import cache

import cv2
import numpy as np
import torch
from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


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


def normalise(crops: Tensor) -> Tensor:
    """Normalise uint8 RGB crops: scale to 0..1, then apply the ImageNet mean and standard deviation.

    Args:
        crops: [B, h, w, 3] uint8 on any device.

    Returns:
        [B, 3, h, w] float32 on the same device, channels last in memory.
    """
    # One mean per value of a row, because broadcasting over three channels is slow.
    mean, std = _row_statistics(crops.shape[2], crops.device)
    rows = crops.to(torch.float32).flatten(2)
    return rows.sub_(mean).div_(std).view(crops.shape).permute(0, 3, 1, 2)


@cache
def _row_statistics(width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and deviation [3 * width] of a row's values; cached, because a copy to the GPU makes the host wait."""
    with torch.inference_mode(False):
        mean, std = (torch.tensor(values * width, device=device) * 255 for values in (IMAGENET_MEAN, IMAGENET_STD))
    return mean, std
