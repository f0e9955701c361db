"""Decode heatmaps inside of an exported network, as `codec.decode` does outside of it.

In fp32, since not all runtimes compute in float64; keypoints differ from those of `codec.decode` by rounding only.
"""

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from transpose.config.study import EvalProtocol

_FLOOR = 1e-10
_REACH = 2


class HeatmapDecoder(nn.Module):
    """Heatmaps [B, K, h, w] -> points [B, K, 2] (x, y) in heatmap pixels, and scores [B, K]."""

    rows: Tensor
    columns: Tensor
    offsets: Tensor

    def __init__(self, size_hw: tuple[int, int], protocol: EvalProtocol) -> None:
        super().__init__()
        self.size_hw = size_hw
        # Maps below 5x5 have no place that is two pixels away from all borders.
        self.decoder = "argmax" if protocol.decoder == "dark" and min(size_hw) <= 2 * _REACH else protocol.decoder
        for name, side in zip(("rows", "columns"), size_hw, strict=True):
            self.register_buffer(name, _blur_matrix(protocol.blur_kernel, side))
        reach = np.arange(-_REACH, _REACH + 1)
        self.register_buffer("offsets", torch.from_numpy((reach[:, None] * size_hw[1] + reach).reshape(-1)))

    def forward(self, heatmaps: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        scores, cells = heatmaps.flatten(2).max(dim=2)
        cells = torch.where(scores > 0, cells, 0)
        y, x = torch.div(cells, self.size_hw[1], rounding_mode="floor"), cells % self.size_hw[1]
        points = torch.stack((x, y), dim=-1).to(torch.float32)
        if self.decoder == "dark":
            points = points + self._newton_step(heatmaps, scores, x, y)
        elif self.decoder == "quarter":
            points = points + self._quarter_step(heatmaps, x, y)
        return points, scores

    def _newton_step(self, heatmaps: Tensor, scores: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Return DARK's steps [B, K, 2] from cells [B, K]; see `dark_decode`."""
        height, width = self.size_hw
        blurred = (self.rows @ heatmaps @ self.columns.T).flatten(2)
        rescaled = blurred * (scores / blurred.amax(dim=2))[..., None]
        column, row = x.clamp(_REACH, width - 1 - _REACH), y.clamp(_REACH, height - 1 - _REACH)
        patches = rescaled.gather(2, (row * width + column)[..., None] + self.offsets)
        step = _newton_step(patches.clamp(min=_FLOOR).log().unflatten(2, (5, 5)))
        return torch.where(((column == x) & (row == y))[..., None], step, 0.0)

    def _quarter_step(self, heatmaps: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Return the steps [B, K, 2] from cells [B, K]; see `quarter_decode`."""
        height, width = self.size_hw
        inside = (x > 1) & (y > 1) & (x < width - 1) & (y < height - 1)
        cells = y.clamp(1, height - 2) * width + x.clamp(1, width - 2)
        neighbours = torch.stack((cells + 1, cells - 1, cells + width, cells - width), dim=2)
        right, left, below, above = heatmaps.flatten(2).gather(2, neighbours).unbind(2)
        step = 0.25 * torch.stack((right - left, below - above), dim=-1).sign()
        return torch.where(inside[..., None], step, 0.0)


def _newton_step(log: Tensor) -> Tensor:
    """Return Newton steps [B, K, 2] (x, y) from the centres of patches [B, K, 5, 5]; 0 if the Hessian is singular."""
    dx = 0.5 * (log[..., 2, 3] - log[..., 2, 1])
    dy = 0.5 * (log[..., 3, 2] - log[..., 1, 2])
    dxx = 0.25 * (log[..., 2, 4] - 2 * log[..., 2, 2] + log[..., 2, 0])
    dyy = 0.25 * (log[..., 4, 2] - 2 * log[..., 2, 2] + log[..., 0, 2])
    dxy = 0.25 * (log[..., 3, 3] - log[..., 1, 3] - log[..., 3, 1] + log[..., 1, 1])
    determinant = (dxx * dyy - dxy.square())[..., None]
    regular = determinant != 0
    step = torch.stack((dxy * dy - dyy * dx, dxy * dx - dxx * dy), dim=-1) / torch.where(regular, determinant, 1.0)
    return torch.where(regular, step, 0.0)


def _blur_matrix(blur_kernel: int, side: int) -> Tensor:
    """Return the matrix [side, side] that blurs a column of pixels with zeros outside of it."""
    kernel = cv2.getGaussianKernel(blur_kernel, 0, cv2.CV_64F)
    blurred = cv2.sepFilter2D(np.eye(side), -1, np.ones(1), kernel, borderType=cv2.BORDER_CONSTANT)
    return torch.from_numpy(blurred).float()
