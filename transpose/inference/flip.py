"""Flip test: average the heatmaps of the crop and of the mirrored crop (paper, section 4.2)."""

from functools import cache

import torch
from torch import Tensor

from transpose.skeleton import Skeleton


def flip_back(heatmaps: Tensor, skeleton: Skeleton) -> Tensor:
    """Mirror heatmaps [B, K, h, w] of mirrored crops and swap left and right keypoints.

    There is no shift by a pixel, because crops and heatmaps are aligned at the centres of their outer pixels.
    """
    return heatmaps.index_select(1, _permutation(tuple(skeleton.flip_permutation), heatmaps.device)).flip(-1)


@cache
def _permutation(keypoints: tuple[int, ...], device: torch.device) -> Tensor:
    """Return the indices on the device; cached, because copying them to a GPU each time blocks the host."""
    with torch.inference_mode(False):
        return torch.tensor(keypoints, device=device)


def mean_with_mirrored(heatmaps: Tensor, mirrored: Tensor, skeleton: Skeleton) -> Tensor:
    """Average heatmaps [B, K, h, w] of crops with those of the mirrored crops, which are flipped back first."""
    return 0.5 * (heatmaps + flip_back(mirrored, skeleton))
