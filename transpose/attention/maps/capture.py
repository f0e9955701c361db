"""Attention of any layer, looked at while the model runs as it always does.

The fused kernel never builds the L x L matrix. A capture keeps the queries and keys that enter it, which are smaller by
a factor of L / (2 dim), and computes of the attention what it is asked for: rows, columns, or a sum over persons.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from transpose.models.transpose import TransPose

_VALUES_AT_ONCE = 2**20
"""Attention weights that are in memory while columns or sums are gathered."""


@dataclass(frozen=True)
class LayerAttention:
    """One layer's attention over L tokens for B persons, by head, of which only the queries and keys are kept."""

    query: Tensor
    """[B, heads, L, dim / heads]."""
    key: Tensor
    """[B, heads, L, dim / heads]."""

    @property
    def tokens(self) -> int:
        """L."""
        return self.query.shape[-2]

    def rows(self, tokens: Tensor) -> Tensor:
        """What tokens [B, Q] attend to: [B, heads, Q, L], each row summing to 1."""
        index = tokens[:, None, :, None].expand(-1, self.query.shape[1], -1, self.query.shape[-1])
        return self._scores(self.query.gather(2, index)).softmax(dim=-1)

    def columns(self, tokens: Tensor) -> Tensor:
        """How much every token attends to tokens [B, Q]: [B, heads, Q, L], entry i being the attention of token i."""
        persons, heads, length, _ = self.query.shape
        columns = self.query.new_empty((persons, heads, length, tokens.shape[1]))
        for person, rows, attention in self._parts():
            index = tokens[person].expand(heads, attention.shape[1], -1)
            columns[person, :, rows] = attention.gather(2, index)
        return columns.transpose(2, 3)

    def summed(self) -> Tensor:
        """Sum of the attention over the B persons: [heads, L, L]."""
        # Single precision, whatever the pass was in: thousands of persons are added up.
        shape = (self.query.shape[1], self.tokens, self.tokens)
        total = torch.zeros(shape, dtype=torch.float32, device=self.query.device)
        for _, rows, attention in self._parts():
            total[:, rows] += attention
        return total

    def matrix(self) -> Tensor:
        """All of it, [B, heads, L, L]: 38 MB a person and head at 3,072 tokens."""
        return self._scores(self.query).softmax(dim=-1)

    def _scores(self, query: Tensor) -> Tensor:
        return query @ self.key.transpose(-2, -1) / query.shape[-1] ** 0.5

    def _parts(self) -> Iterator[tuple[int, slice, Tensor]]:
        """All of the attention in parts that fit a processor's cache: person, rows, [heads, rows, L]."""
        count = max(1, _VALUES_AT_ONCE // (self.query.shape[1] * self.tokens))
        for person, (query, key) in enumerate(zip(self.query, self.key.transpose(-2, -1), strict=True)):
            for start in range(0, self.tokens, count):
                rows = slice(start, min(start + count, self.tokens))
                yield person, rows, (query[:, rows] @ key / query.shape[-1] ** 0.5).softmax(dim=-1)


class Capture:
    """Attends by the fused kernel, to the bit as a layer alone would, and keeps what it needed for that."""

    def __init__(self) -> None:
        self._seen: LayerAttention | None = None

    def __call__(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """See `Attend`."""
        self._seen = LayerAttention(query, key)
        return F.scaled_dot_product_attention(query, key, value)

    @property
    def attention(self) -> LayerAttention:
        """Of the latest pass.

        Raises:
            RuntimeError: the layer has not run yet.
        """
        if self._seen is None:
            raise RuntimeError("the layer whose attention is asked for has not run")
        return self._seen


def capture(model: TransPose, features: Tensor) -> tuple[Tensor, list[LayerAttention]]:
    """Encode features and keep the attention of every layer.

    Args:
        model: in evaluation mode.
        features: [B, dim, h, w], see `TransPose.features`.

    Returns:
        Encoded features [B, dim, h, w], to the bit those of `model.encode`, and the attention of each layer, first
        layer first; none without an encoder.
    """
    layers = 0 if model.global_encoder is None else len(model.global_encoder.layers)
    captures = {index: Capture() for index in range(layers)}
    encoded = model.encode(features, captures)
    return encoded, [captures[index].attention for index in range(layers)]
