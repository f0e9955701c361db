"""Position embeddings of the cells of a feature map (paper, section 3.2 and its study of unseen resolutions)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def sine_embedding(grid: tuple[int, int], dim: int) -> Tensor:
    """Return the fixed 2-D sine embedding [h * w, 1, dim] of a grid (h, w), tokens row by row.

    The first half of the channels encodes the row, the second the column. A coordinate p of n becomes the angle
    2 pi (p + 1) / (n + 1e-6); channels 2i and 2i + 1 of a half are sine and cosine of angle / 10000^(4i / dim).
    """
    height, width = grid
    rows = _sine_of_positions(height, dim // 2)[:, None].expand(-1, width, -1)
    columns = _sine_of_positions(width, dim // 2)[None].expand(height, -1, -1)
    return torch.cat([rows, columns], dim=-1).reshape(height * width, 1, dim).float()


def learnable_embedding(grid: tuple[int, int], dim: int) -> nn.Parameter:
    """Return a trainable embedding [h * w, 1, dim], drawn from N(0, 1)."""
    return nn.Parameter(torch.randn(grid[0] * grid[1], 1, dim))


def resample_embedding(embedding: Tensor, grid: tuple[int, int], new_grid: tuple[int, int]) -> Tensor:
    """Resample an embedding [h * w, 1, dim] to another grid, [h' * w', 1, dim].

    Bilinear with aligned corners, as in the paper's study of unseen input resolutions.
    """
    if grid == new_grid:
        return embedding
    dim = embedding.shape[-1]
    cells = embedding.reshape(1, *grid, dim).permute(0, 3, 1, 2)
    cells = F.interpolate(cells, size=new_grid, mode="bilinear", align_corners=True)
    return cells.permute(0, 2, 3, 1).reshape(-1, 1, dim)


def _sine_of_positions(count: int, channels: int) -> Tensor:
    angles = torch.arange(1, count + 1, dtype=torch.float64) * (2 * math.pi / (count + 1e-6))
    exponents = torch.arange(0, channels, 2, dtype=torch.float64) / channels
    phases = angles[:, None] / 10000**exponents
    return torch.stack([phases.sin(), phases.cos()], dim=-1).reshape(count, channels)
