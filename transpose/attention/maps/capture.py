"""Capture the attention of every layer without changing the model's output.

The fused kernel never builds the L x L matrix. A capture keeps its input queries and keys, which are smaller by a
factor of L / (2 dim), and computes rows, columns or sums over persons of the attention on request.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from transpose.models.transpose import TransPose

_VALUES_AT_ONCE = 2**20
"""Attention weights in memory at a time while columns or sums are computed."""


@dataclass(frozen=True)
class LayerAttention:
    """One layer's attention over L tokens for B persons and all heads, stored as queries and keys."""

    query: Tensor
    """[B, heads, L, dim / heads]."""
    key: Tensor
    """[B, heads, L, dim / heads]."""

    @property
    def tokens(self) -> int:
        """L."""
        return self.query.shape[-2]

    def rows(self, tokens: Tensor) -> Tensor:
        """Return the attention rows [B, heads, Q, L] of tokens [B, Q]; each row sums to 1."""
        index = tokens[:, None, :, None].expand(-1, self.query.shape[1], -1, self.query.shape[-1])
        return self._scores(self.query.gather(2, index)).softmax(dim=-1)

    def columns(self, tokens: Tensor) -> Tensor:
        """Return the attention columns [B, heads, Q, L] of tokens [B, Q]; entry i is the attention of token i."""
        persons, heads, length, _ = self.query.shape
        columns = self.query.new_empty((persons, heads, length, tokens.shape[1]))
        for person, rows, attention in self._parts():
            index = tokens[person].expand(heads, attention.shape[1], -1)
            columns[person, :, rows] = attention.gather(2, index)
        return columns.transpose(2, 3)

    def summed(self) -> Tensor:
        """Return the sum of the attention over the B persons: [heads, L, L]."""
        # float32 for any input dtype, because thousands of persons are summed.
        shape = (self.query.shape[1], self.tokens, self.tokens)
        total = torch.zeros(shape, dtype=torch.float32, device=self.query.device)
        for _, rows, attention in self._parts():
            total[:, rows] += attention
        return total

    def matrix(self) -> Tensor:
        """Return the full attention [B, heads, L, L]; 38 MB per person and head at 3,072 tokens."""
        return self._scores(self.query).softmax(dim=-1)

    def _scores(self, query: Tensor) -> Tensor:
        return query @ self.key.transpose(-2, -1) / query.shape[-1] ** 0.5

    def _parts(self) -> Iterator[tuple[int, slice, Tensor]]:
        """Yield the attention in parts that fit the CPU cache: person, rows, [heads, rows, L]."""
        count = max(1, _VALUES_AT_ONCE // (self.query.shape[1] * self.tokens))
        for person, (query, key) in enumerate(zip(self.query, self.key.transpose(-2, -1), strict=True)):
            for start in range(0, self.tokens, count):
                rows = slice(start, min(start + count, self.tokens))
                yield person, rows, (query[:, rows] @ key / query.shape[-1] ** 0.5).softmax(dim=-1)


class Capture:
    """Runs the fused kernel, with bitwise the same output as the layer's own, and keeps queries and keys."""

    def __init__(self) -> None:
        self._captured: LayerAttention | None = None

    def __call__(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """See `Attend`."""
        self._captured = LayerAttention(query, key)
        return F.scaled_dot_product_attention(query, key, value)

    @property
    def attention(self) -> LayerAttention:
        """Attention of the latest pass.

        Raises:
            RuntimeError: the layer has not run yet.
        """
        if self._captured is None:
            raise RuntimeError("the layer has not run, so no attention is captured")
        return self._captured


def capture(model: TransPose, features: Tensor) -> tuple[Tensor, list[LayerAttention]]:
    """Encode features and capture the attention of every layer.

    Args:
        model: in evaluation mode.
        features: [B, dim, h, w], see `TransPose.features`.

    Returns:
        Encoded features [B, dim, h, w], bitwise equal to `model.encode`, and the attention of each layer in order; an
        empty list without an encoder.
    """
    layers = 0 if model.global_encoder is None else len(model.global_encoder.layers)
    captures = {index: Capture() for index in range(layers)}
    encoded = model.encode(features, captures)
    return encoded, [captures[index].attention for index in range(layers)]
