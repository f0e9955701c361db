"""Dependency and affected areas: rows and columns of an encoder layer's attention (paper, section "Attention maps").

A layer's attention `A` [L, L] over the L = h * w cells of the feature map (row-major, token = y * w + x) has rows that
sum to 1. For the cell of a predicted keypoint, row `A[cell, :]` is its *dependency area*, where the cell collects
evidence from, and column `A[:, cell]` its *affected area*, the cells that use it. Uniform attention, 1 / L, is the
natural unit of both.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from transpose.config.variant import Variant
from transpose.errors import InputError


class AttentiveModel(Protocol):
    """What `explain_persons` needs of a model."""

    def forward_with_attention(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """images [B, 3, H, W] -> heatmaps [B, K, H/4, W/4] and, for each layer, attention [B, heads, L, L]."""
        ...


@dataclass(frozen=True)
class Explanation:
    """Areas of P persons' K keypoints in all encoder layers, of the unflipped pass, averaged over heads.

    `dependency` and `affected` are [P, layers, K, h, w] float32 on the attention grid; `cells_xy` [P, K, 2] int64 are
    the keypoints' cells. The keypoints themselves may come from the flip test: mirroring only moves the query.
    """

    dependency: np.ndarray
    affected: np.ndarray
    cells_xy: np.ndarray

    @property
    def uniform(self) -> float:
        """Attention of a cell if all were attended alike: 1 / (h * w)."""
        return 1.0 / (self.dependency.shape[-2] * self.dependency.shape[-1])


def keypoint_cells(points_xy: Tensor, stride: int, grid_size: tuple[int, int]) -> Tensor:
    """Cells (x, y) of the attention grid that hold points (x, y) in crop pixels: `[..., 2]` -> `[..., 2]` int64.

    Coordinates divided by the stride are truncated toward zero (matches the official visualisation). A keypoint that
    was refined to a place outside the crop takes the nearest cell.
    """
    height, width = grid_size
    cells = torch.trunc(points_xy / stride).long()
    return torch.stack((cells[..., 0].clamp(0, width - 1), cells[..., 1].clamp(0, height - 1)), dim=-1)


def dependency_area(attention: Tensor, cells_xy: Tensor, grid_size: tuple[int, int]) -> Tensor:
    """Rows of the attention, averaged over heads.

    `attention` `[..., heads, L, L]`, `cells_xy` `[..., K, 2]` with the same leading dimensions -> `[..., K, h, w]`.
    """
    return _rows(attention.mean(dim=-3), cells_xy, grid_size)


def affected_area(attention: Tensor, cells_xy: Tensor, grid_size: tuple[int, int]) -> Tensor:
    """Columns of the attention, averaged over heads; shapes as in `dependency_area`."""
    return _rows(attention.mean(dim=-3).transpose(-1, -2), cells_xy, grid_size)


def area_on_crop(areas: Tensor, input_size: tuple[int, int], threshold: float = 0.0) -> Tensor:
    """Areas `[..., h, w]` in multiples of uniform attention, brought to the crop's size: `[..., H, W]`.

    Bilinear interpolation without aligned corners; values not above `threshold` (multiples of uniform attention) become
    0 after it, so that the border of an area is smooth (matches the official visualisation).
    """
    height, width = areas.shape[-2:]
    in_units = areas.reshape(-1, 1, height, width) * (height * width)
    enlarged = F.interpolate(in_units, size=input_size, mode="bilinear", align_corners=False)
    return torch.where(enlarged > threshold, enlarged, 0.0).reshape(*areas.shape[:-2], *input_size)


@torch.inference_mode()
def explain_persons(
    model: AttentiveModel, variant: Variant, crops: Tensor, keypoints_xy: np.ndarray, batch_size: int = 1
) -> Explanation:
    """Dependency and affected areas of predicted keypoints in all encoder layers.

    Args:
        model: in evaluation mode.
        crops: normalised person crops `[P, 3, H, W]` on the model's device. They are passed unflipped: the mirrored
            pass of the flip test has attention of its own.
        keypoints_xy: predicted keypoints `[P, K, 2]` in crop pixels.
        batch_size: persons at a time; a layer of 3,072 tokens needs 38 MB a person and head.

    Raises:
        InputError: the variant has no encoder, hence no attention.
    """
    if variant.encoder is None:
        raise InputError(variant.title, None, "encoder", "has no attention to explain")
    stride, grid_size = variant.backbone.stride, variant.grid_size
    cells = keypoint_cells(torch.as_tensor(keypoints_xy, device=crops.device), stride, grid_size)
    dependency: list[Tensor] = []
    affected: list[Tensor] = []
    for batch, batch_cells in zip(crops.split(batch_size), cells.split(batch_size), strict=True):
        _, layers = model.forward_with_attention(batch)
        dependency.append(torch.stack([dependency_area(layer, batch_cells, grid_size) for layer in layers], dim=1))
        affected.append(torch.stack([affected_area(layer, batch_cells, grid_size) for layer in layers], dim=1))
    shape = (len(crops), variant.encoder.layers, cells.shape[1], *grid_size)
    return Explanation(_joined(dependency, shape), _joined(affected, shape), cells.cpu().numpy())


def _rows(matrices: Tensor, cells_xy: Tensor, grid_size: tuple[int, int]) -> Tensor:
    height, width = grid_size
    if matrices.shape[-1] != height * width:
        raise ValueError(f"attention over {matrices.shape[-1]} tokens does not fit a grid of {height} x {width}")
    tokens = cells_xy[..., 1] * width + cells_xy[..., 0]
    rows = torch.take_along_dim(matrices, tokens.unsqueeze(-1), dim=-2)
    return rows.reshape(*tokens.shape, height, width)


def _joined(batches: list[Tensor], shape: tuple[int, ...]) -> np.ndarray:
    if not batches:
        return np.zeros(shape, dtype=np.float32)
    return torch.cat(batches).float().cpu().numpy()
