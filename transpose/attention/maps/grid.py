"""Where the cells of the attention grid lie in the crop, exactly.

Crop and heatmap share their centre and one factor (`rescale_points`, the official evaluation's alignment), and a cell
of the grid covers the heatmap pixels that are upsampled from it. The official visualisation divides crop pixels by the
stride instead, which at the crop's far edges is up to 2.5 pixels off at 256x192.
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
        """The grid of a variant's encoder."""
        return cls(variant.grid_size, variant.heatmap_size, variant.input_size)

    @property
    def tokens(self) -> int:
        """L."""
        return self.size[0] * self.size[1]

    @property
    def uniform(self) -> float:
        """Attention of a cell if all were attended alike: 1 / L, the natural unit of attention."""
        return 1.0 / self.tokens

    @property
    def cell_side(self) -> float:
        """Crop pixels from the centre of a cell to that of the next."""
        return self._heatmap_pixels * (self.input_size[1] - 1) / (self.heatmap_size[1] - 1)

    def positions(self, points_xy: np.ndarray) -> np.ndarray:
        """Crop pixels [..., 2] in units of cells [..., 2] float64: (0, 0) is the centre of the first cell."""
        on_heatmap = rescale_points(points_xy, self.input_size, self.heatmap_size)
        return (on_heatmap + 0.5) / self._heatmap_pixels - 0.5

    def tokens_at(self, points_xy: np.ndarray) -> np.ndarray:
        """Tokens [...] int64 of the cells that hold points [..., 2] in crop pixels; outside of the crop the nearest."""
        cells = np.floor(self.positions(points_xy) + 0.5).astype(np.int64)
        columns, rows = np.moveaxis(np.clip(cells, 0, np.array(self.size[::-1]) - 1), -1, 0)
        return rows * self.size[1] + columns

    def centres(self) -> np.ndarray:
        """[L, 2] float64: the cells' centres (x, y) in crop pixels."""
        rows, columns = np.divmod(np.arange(self.tokens), self.size[1])
        on_heatmap = (np.stack((columns, rows), axis=-1) + 0.5) * self._heatmap_pixels - 0.5
        return rescale_points(on_heatmap, self.heatmap_size, self.input_size)

    def mirrored_tokens(self) -> Tensor:
        """[L] int64: the token where each token's cell lies in the mirrored crop; turning twice gives the first."""
        return torch.arange(self.tokens).reshape(self.size).flip(-1).flatten()

    def on_crop(self, values: Tensor, size: tuple[int, int] | None = None) -> Tensor:
        """Values of cells [..., L] between their centres, bilinearly: [..., H, W], all of the crop at `size` pixels.

        Args:
            size: (height, width) to draw the crop at, its own by default. Pixels are sampled at their centres.
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
        """Heatmap pixels to a cell's side."""
        return self.heatmap_size[0] // self.size[0]
