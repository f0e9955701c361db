"""Encode keypoints as target heatmaps (paper, section 4.1)."""

import torch
from torch import Tensor


def gaussian_heatmaps(points: Tensor, visible: Tensor, size_hw: tuple[int, int], sigma: float) -> tuple[Tensor, Tensor]:
    """Render unbiased Gaussian targets: centred at the sub-pixel position, over the whole map, 1 at the centre.

    Matches the official targets: a keypoint has weight 0 if its box of three standard deviations is entirely outside
    the map, and maps of weight 0 are zero.

    Args:
        points: [B, K, 2] heatmap pixels, (x, y).
        visible: [B, K], not zero where the keypoint is labelled.
        size_hw: (height, width) of the heatmaps.
        sigma: standard deviation in heatmap pixels.

    Returns:
        heatmaps [B, K, h, w] and weights [B, K], both float32 on the device of `points`.
    """
    height, width = size_hw
    reach = 3 * sigma
    # The official box has integer corners, truncated toward zero.
    left, top = (points - reach).trunc().unbind(-1)
    overlaps = (left < width) & (top < height) & ((points + reach + 1).trunc() >= 0).all(dim=-1)
    weights = ((visible > 0) & overlaps).to(torch.float32)
    columns = _gaussian(points[..., 0], width, sigma)
    rows = _gaussian(points[..., 1], height, sigma) * weights[..., None]
    return rows[..., :, None] * columns[..., None, :], weights


def _gaussian(centres: Tensor, length: int, sigma: float) -> Tensor:
    """[..., length] float32 profiles around centres [...]."""
    offsets = torch.arange(length, device=centres.device) - centres[..., None]
    return torch.exp(offsets.square() * (-0.5 / sigma**2)).to(torch.float32)
