"""The flip test: heatmaps averaged with those of the mirrored crop (paper, section 4.2)."""

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from transpose.skeleton import Skeleton


def flip_back(heatmaps: Tensor, skeleton: Skeleton) -> Tensor:
    """Heatmaps [B, K, h, w] of mirrored crops as heatmaps of the crops: mirrored, left and right keypoints swapped.

    No shift by a pixel: crops and heatmaps are aligned at the centres of their outer pixels.
    """
    return heatmaps.index_select(1, _permutation(tuple(skeleton.flip_permutation), heatmaps.device)).flip(-1)


@cache
def _permutation(keypoints: tuple[int, ...], device: torch.device) -> Tensor:
    """Kept, since sending it anew makes the host wait for a GPU."""
    with torch.inference_mode(False):
        return torch.tensor(keypoints, device=device)


def mean_with_mirrored(heatmaps: Tensor, mirrored: Tensor, skeleton: Skeleton) -> Tensor:
    """Mean of the heatmaps [B, K, h, w] of crops and of those of the mirrored crops, which are turned back first."""
    return 0.5 * (heatmaps + flip_back(mirrored, skeleton))


def flip_test(model: Callable[[Tensor], Tensor], images: Tensor, skeleton: Skeleton) -> Tensor:
    """Mean of the heatmaps [B, K, h, w] of images [B, 3, H, W] and of their mirror images."""
    return mean_with_mirrored(model(images), model(images.flip(-1)), skeleton)
