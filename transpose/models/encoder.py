"""Transformer encoder over the cells of a feature map, and position embeddings of the cells (paper, section 3.2)."""

import math
from collections.abc import Callable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transpose.models.attention_blocks import attend_in_blocks
from transpose.models.attention_products import attend_by_products, attention_form

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Attention function: queries, keys and values, [B, heads, L, dim / heads] each -> output of the same shape.

Replaces the fused kernel to capture or change a layer's attention.
"""

Linear = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Linear function: input [..., in], weight [out, in], bias [out] -> [..., out]."""


class SelfAttention(nn.Module):
    """Multi-head self-attention; the position embedding is added to queries and keys, not to values."""

    def __init__(self, dim: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.dim = dim
        self.heads = heads
        self.dropout = dropout
        self.linear: Linear = F.linear
        projection = nn.Linear(dim, 3 * dim)
        self.in_proj_weight = projection.weight
        self.in_proj_bias = projection.bias
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, tokens: Tensor, position: Tensor | None, attend: Attend | None = None) -> Tensor:
        """Tokens [B, L, dim], position [L, 1, dim] -> [B, L, dim], with the fastest kernel or `attend`."""
        return self.merge((attend or self._attend)(*self.project(tokens, position)))

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        form = attention_form(query.device.type, query.dtype)
        if torch.is_grad_enabled() and (form == "products" or (dropout and query.device.type == "cpu")):
            return attend_in_blocks(query, key, value, dropout)
        if form == "products":
            return attend_by_products(query, key, value)
        return F.scaled_dot_product_attention(query, key, value, dropout_p=dropout)

    def project(self, tokens: Tensor, position: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens [B, L, dim] -> queries, keys and values, [B, heads, L, dim / heads] each."""
        placed = tokens if position is None else tokens + position.transpose(0, 1)
        sizes = [2 * self.dim, self.dim]
        weights, biases = self.in_proj_weight.split(sizes), self.in_proj_bias.split(sizes)
        query, key = self.linear(placed, weights[0], biases[0]).chunk(2, dim=-1)
        value = self.linear(tokens, weights[1], biases[1])
        return self._split(query), self._split(key), self._split(value)

    def merge(self, gathered: Tensor) -> Tensor:
        """Outputs of the heads [B, heads, L, dim / heads] -> [B, L, dim]."""
        return self.linear(gathered.transpose(1, 2).flatten(2), self.out_proj.weight, self.out_proj.bias)

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class EncoderLayer(nn.Module):
    """Self-attention and a feed-forward block, each with a residual connection and layer norm after it (post-norm)."""

    def __init__(self, dim: int, heads: int, feedforward: int, dropout: float, attention_dropout: float) -> None:
        super().__init__()
        self.self_attn = SelfAttention(dim, heads, attention_dropout)
        self.linear1 = nn.Linear(dim, feedforward)
        self.linear2 = nn.Linear(feedforward, dim)
        self.norm1 = nn.LayerNorm(dim)
        self.norm2 = nn.LayerNorm(dim)
        self.dropout = dropout
        self.linear: Linear = F.linear

    def forward(self, tokens: Tensor, position: Tensor | None, attend: Attend | None = None) -> Tensor:
        """Tokens [B, L, dim], position [L, 1, dim] -> [B, L, dim]; see `SelfAttention` for `attend`."""
        return self.transform(tokens, self.self_attn(tokens, position, attend))

    def transform(self, tokens: Tensor, attended: Tensor) -> Tensor:
        """The rest of the layer: tokens and attention output, [B, L, dim] each -> [B, L, dim]."""
        tokens = self.norm1(tokens + self._drop(attended))
        hidden = self._drop(F.relu(self.linear(tokens, self.linear1.weight, self.linear1.bias)))
        return self.norm2(tokens + self._drop(self.linear(hidden, self.linear2.weight, self.linear2.bias)))

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training)


class TransformerEncoder(nn.Module):
    """A stack of encoder layers; the position embedding is added in every layer."""

    def __init__(
        self, layers: int, dim: int, heads: int, feedforward: int, dropout: float, attention_dropout: float
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            EncoderLayer(dim, heads, feedforward, dropout, attention_dropout) for _ in range(layers)
        )

    def forward(self, tokens: Tensor, position: Tensor | None, attends: Mapping[int, Attend] | None = None) -> Tensor:
        """Tokens [B, L, dim], position [L, 1, dim] or none -> [B, L, dim].

        Args:
            attends: replacements for the fused kernel, by layer index from 0; other layers use the kernel.
        """
        for index, layer in enumerate(self.layers):
            tokens = layer(tokens, position, attends.get(index) if attends else None)
        return tokens


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
