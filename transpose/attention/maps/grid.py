"""Exact positions of the attention grid's cells in the crop.

Crop and heatmap have the same centre and one scale factor for both axes (`rescale_points`, as in the official
evaluation), and a cell of the grid covers the heatmap pixels that are upsampled from it. The official visualisation
divides crop pixels by the stride instead, which is off by up to 2.5 pixels at the right and bottom edges at 256x192.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from transpose.config.variant import Variant
from transpose.geometry import rescale_points


@dataclass(frozen=True)
class Grid:
    """The grid of L = height * width cells over a crop; token = y * width + x. Sizes are (height, width)."""

    size: tuple[int, int]
    heatmap_size: tuple[int, int]
    input_size: tuple[int, int]

    @classmethod
    def of(cls, variant: Variant) -> "Grid":
        """Return the grid of a variant's encoder."""
        return cls(variant.grid_size, variant.heatmap_size, variant.input_size)

    @property
    def tokens(self) -> int:
        """L, the number of cells."""
        return self.size[0] * self.size[1]

    @property
    def uniform(self) -> float:
        """Uniform attention, 1 / L: the unit of attention values."""
        return 1.0 / self.tokens

    @property
    def cell_side(self) -> float:
        """Distance between the centres of neighbouring cells, in crop pixels."""
        return self._heatmap_pixels * (self.input_size[1] - 1) / (self.heatmap_size[1] - 1)

    def positions(self, points_xy: np.ndarray) -> np.ndarray:
        """Convert crop pixels [..., 2] to units of cells [..., 2] float64; (0, 0) is the centre of the first cell."""
        on_heatmap = rescale_points(points_xy, self.input_size, self.heatmap_size)
        return (on_heatmap + 0.5) / self._heatmap_pixels - 0.5

    def tokens_at(self, points_xy: np.ndarray) -> np.ndarray:
        """Return tokens [...] int64 of the cells nearest to points [..., 2] in crop pixels."""
        cells = np.floor(self.positions(points_xy) + 0.5).astype(np.int64)
        columns, rows = np.moveaxis(np.clip(cells, 0, np.array(self.size[::-1]) - 1), -1, 0)
        return rows * self.size[1] + columns

    def tokens_of_pixels(self) -> np.ndarray:
        """Return the token of each crop pixel, [H, W] int64."""
        height, width = self.input_size
        columns, rows = np.meshgrid(np.arange(width), np.arange(height))
        return self.tokens_at(np.stack((columns, rows), axis=-1))

    def centres(self) -> np.ndarray:
        """Return the cells' centres (x, y) in crop pixels, [L, 2] float64."""
        rows, columns = np.divmod(np.arange(self.tokens), self.size[1])
        on_heatmap = (np.stack((columns, rows), axis=-1) + 0.5) * self._heatmap_pixels - 0.5
        return rescale_points(on_heatmap, self.heatmap_size, self.input_size)

    def mirrored_tokens(self) -> Tensor:
        """Return each token's position in the mirrored crop, [L] int64; the mapping is its own inverse."""
        return torch.arange(self.tokens).reshape(self.size).flip(-1).flatten()

    def on_crop(self, values: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Interpolate values of cells [..., L] bilinearly to the pixels of the crop: [..., H, W].

        Args:
            size: output (height, width), the crop's own by default. Pixels are sampled at their centres.
        """
        height, width = size or self.input_size
        scale = np.array(self.input_size[::-1]) / (width, height)
        columns, rows = np.meshgrid(np.arange(width), np.arange(height))
        points = (np.stack((columns, rows), axis=-1) + 0.5) * scale - 0.5
        places = (self.positions(points) + 0.5) * 2 / np.array(self.size[::-1]) - 1
        sampled = F.grid_sample(
            values.reshape(1, -1, *self.size),
            torch.from_numpy(places).to(values)[None],
            padding_mode="border",
            align_corners=False,
        )
        return sampled.reshape(*values.shape[:-1], height, width)

    @property
    def _heatmap_pixels(self) -> int:
        """Side of a cell in heatmap pixels."""
        return self.heatmap_size[0] // self.size[0]
