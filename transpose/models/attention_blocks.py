"""Attention on a CPU in training, in blocks that stay in the processor's cache.

PyTorch's fused kernel has no dropout of weights on a CPU, and without AMX it gains nothing by bf16. Softmax, mask and
products are computed for some rows of the weights at a time. Autograd keeps no weights: the backward pass computes
those of a block again. Masks come from 16-bit random words, which cost a tenth of Bernoulli draws, and are drawn again
too; they are applied to the bits of numbers, which is faster than arithmetic in bf16.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from transpose.models.linear import linear_by_onednn

_WORDS = 2**16
_BLOCK_WEIGHTS = 2**20
"""Weights of a block: 2 MiB in bf16. A quarter of it was 1.2 times as slow in bf16, since small products are slow."""

_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Integers by the bytes of a number."""


def attend_in_blocks(query: Tensor, key: Tensor, value: Tensor, dropout: float) -> Tensor:
    """Queries, keys and values [B, heads, L, dim] each, on the CPU -> [B, heads, L, dim].

    A weight is dropped with the probability `dropout` rounded to a multiple of 2^-16, and the others are scaled by the
    exact inverse of the rest. The masks depend on one draw from torch's default generator and on no number of threads.
    """
    seed = int(torch.randint(2**63 - 1, ())) if dropout else 0
    return _AttentionInBlocks.apply(query, key, value, round(dropout * _WORDS), seed)


class _AttentionInBlocks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, dropped_words: int, seed: int) -> Tensor:
        query, key, value = (query / math.sqrt(query.shape[-1])).contiguous(), key.contiguous(), value.contiguous()
        output = torch.empty_like(value)
        for block, (image_head, rows) in enumerate(_blocks(query)):
            weights = _weights(query[image_head][rows], key[image_head])
            if dropped_words:
                _drop(weights, _kept(weights, dropped_words, seed, block))
            output[image_head][rows] = linear_by_onednn(weights, value[image_head].t())
        ctx.dropped_words, ctx.seed = dropped_words, seed
        output.mul_(_scale(dropped_words))
        ctx.save_for_backward(query, key, value, output)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        query, key, value, output = ctx.saved_tensors
        # Softmax's derivative subtracts the weighted mean of a row's gradients from each of them.
        means = (gradients[0] * output).sum(-1, keepdim=True)
        scaled = (gradients[0] * _scale(ctx.dropped_words)).contiguous()
        of_query, of_key, of_value = torch.empty_like(query), _zeros(key), _zeros(value)
        for block, (image_head, rows) in enumerate(_blocks(query)):
            queries, gradient = query[image_head][rows], scaled[image_head][rows]
            weights = _weights(queries, key[image_head])
            of_weights = linear_by_onednn(gradient, value[image_head])
            dropped = weights
            if ctx.dropped_words:
                kept = _kept(weights, ctx.dropped_words, ctx.seed, block)
                _drop(of_weights, kept)
                dropped = kept.bitwise_and_(_bits(weights)).view(weights.dtype)
            of_value[image_head] += _transposed_product(gradient, dropped)
            of_scores = of_weights.sub_(means[image_head][rows]).mul_(weights)
            of_query[image_head][rows] = linear_by_onednn(of_scores, key[image_head].t())
            of_key[image_head] += _transposed_product(queries, of_scores)
        of_query.div_(math.sqrt(query.shape[-1]))
        return of_query, of_key.to(key.dtype).mT, of_value.to(value.dtype).mT, None, None


def _weights(queries: Tensor, keys: Tensor) -> Tensor:
    """Scaled queries [R, dim] and keys [L, dim] -> weights [R, L] before dropout."""
    scores = linear_by_onednn(queries, keys)
    return torch.softmax(scores, -1, out=scores)


def _transposed_product(first: Tensor, second: Tensor) -> Tensor:
    """[R, dim] and [R, L] -> [dim, L], 1.6 times as fast as [L, dim]."""
    return linear_by_onednn(first.t().contiguous(), second.t())


def _kept(like: Tensor, dropped_words: int, seed: int, block: int) -> Tensor:
    """Return integers in the form and size of `like`: all bits set for kept weights, none for dropped ones."""
    count = like.numel()
    words = torch.from_numpy(np.random.SFC64([seed, block]).random_raw(-(-count // 4)).view(np.int16)[:count])
    kept = torch.ge(words, dropped_words - _WORDS // 2, out=torch.empty_like(words)).neg_()
    return kept.view_as(like).to(_BITS[like.element_size()])


def _drop(numbers: Tensor, kept: Tensor) -> None:
    """Set numbers to 0 in place where `kept` has no bits."""
    _bits(numbers).bitwise_and_(kept)


def _scale(dropped_words: int) -> float:
    return _WORDS / (_WORDS - dropped_words)


def _blocks(query: Tensor) -> Iterator[tuple[tuple[int, int], slice]]:
    """Yield (image, head) and a range of rows for each block of the weights."""
    images, heads, length, _ = query.shape
    step = max(1, _BLOCK_WEIGHTS // length)
    for image in range(images):
        for head in range(heads):
            for start in range(0, length, step):
                yield (image, head), slice(start, start + step)


def _bits(numbers: Tensor) -> Tensor:
    """Return the memory of numbers as integers."""
    return numbers.view(_BITS[numbers.element_size()])


def _zeros(like: Tensor) -> Tensor:
    """Return a transposed sum to add to; in bf16 it would lose what many small products add."""
    return like.new_zeros(like.mT.shape, dtype=torch.promote_types(like.dtype, torch.float32))
