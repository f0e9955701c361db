"""Normalise crops to the input of the networks."""

from functools import cache

import torch
from torch import Tensor

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def normalise(crops: Tensor) -> Tensor:
    """Normalise uint8 RGB crops: scale to 0..1, then apply the ImageNet mean and standard deviation.

    Args:
        crops: [B, h, w, 3] uint8 on any device.

    Returns:
        [B, 3, h, w] float32 on the same device, channels last in memory.
    """
    return normalise_rows(crops, *row_statistics(crops.shape[2], crops.device))


def normalise_rows(crops: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Compute `normalise` with the `row_statistics` of the crops' width."""
    # One mean per value of a row, because broadcasting over three channels is slow.
    rows = crops.to(torch.float32).flatten(2)
    return rows.sub_(mean).div_(std).view(crops.shape).permute(0, 3, 1, 2)


@cache
def row_statistics(width: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Mean and deviation [3 * width] of a row's values; cached, because a copy to the GPU makes the host wait."""
    with torch.inference_mode(False):
        mean, std = (torch.tensor(values * width, device=device) * 255 for values in (IMAGENET_MEAN, IMAGENET_STD))
    return mean, std
