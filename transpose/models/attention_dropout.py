"""Attention with dropout of its weights on a CPU, for which PyTorch's fused kernel has no dropout.

Masks come from 16-bit random words, which cost a tenth of Bernoulli draws. Softmax, mask and products are computed for
some rows of the weights at a time, so that they stay in the processor's cache. Of a layer, autograd keeps the weights
once, with the mask in their sign bit, which integer operations set and remove faster than arithmetic in bf16.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_WORDS = 2**16
_BLOCK_WEIGHTS = 2**20
"""Weights of a block: 2 MiB in bf16. A quarter of it was 1.2 times as slow in bf16, since small products are slow."""

_BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Integers by the bytes of a weight."""


def attend_with_dropout(query: Tensor, key: Tensor, value: Tensor, probability: float) -> Tensor:
    """Queries, keys and values [B, heads, L, dim] each, on the CPU -> [B, heads, L, dim].

    A weight is dropped with the probability rounded to a multiple of 2^-16, and the others are scaled by the exact
    inverse of the rest. The masks depend on one draw from torch's default generator and on no number of threads.
    """
    seed = int(torch.randint(2**63 - 1, ()))
    return _AttentionWithDropout.apply(query, key, value, round(probability * _WORDS), seed)


class _AttentionWithDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, dropped_words: int, seed: int) -> Tensor:
        query, key, value = (query / math.sqrt(query.shape[-1])).contiguous(), key.contiguous(), value.contiguous()
        output, weights = torch.empty_like(value), query.new_empty(*query.shape[:-1], query.shape[-2])
        for block, (image_head, rows) in enumerate(_blocks(query)):
            signed = weights[image_head][rows]
            torch.mm(query[image_head][rows], key[image_head].t(), out=signed)
            torch.softmax(signed, -1, out=signed)
            _bits(signed).bitwise_or_(_sign_of_dropped(_bits(signed), dropped_words, seed, block))
            torch.mm(_kept(signed), value[image_head], out=output[image_head][rows])
        ctx.scale = _WORDS / (_WORDS - dropped_words)
        output.mul_(ctx.scale)
        ctx.save_for_backward(query, key, value, weights, output)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        query, key, value, weights, output = ctx.saved_tensors
        # Softmax's derivative subtracts the weighted mean of a row's gradients from each of them.
        means = (gradients[0] * output).sum(-1, keepdim=True)
        scaled = (gradients[0] * ctx.scale).contiguous()
        of_query, of_key, of_value = torch.empty_like(query), _zeros(key), _zeros(value)
        for image_head, rows in _blocks(query):
            signed, gradient = weights[image_head][rows], scaled[image_head][rows]
            kept = _kept(signed)
            _add_product(of_value[image_head], kept.t(), gradient)
            product = torch.mm(gradient, value[image_head].t()).mul_(kept)
            product.sub_(_magnitude(signed).mul_(means[image_head][rows]))
            torch.mm(product, key[image_head], out=of_query[image_head][rows])
            _add_product(of_key[image_head], product.t(), query[image_head][rows])
        of_query.div_(math.sqrt(query.shape[-1]))
        return of_query, of_key.to(key.dtype), of_value.to(value.dtype), None, None


def _blocks(query: Tensor) -> Iterator[tuple[tuple[int, int], slice]]:
    """Yield (image, head) and a range of rows for each block of the weights."""
    images, heads, length, _ = query.shape
    step = max(1, _BLOCK_WEIGHTS // length)
    for image in range(images):
        for head in range(heads):
            for start in range(0, length, step):
                yield (image, head), slice(start, start + step)


def _sign_of_dropped(like: Tensor, dropped_words: int, seed: int, block: int) -> Tensor:
    """Return integers in the form and type of `like` with the sign bit set for dropped weights, else 0."""
    count = like.numel()
    words = np.random.SFC64([seed, block]).random_raw(-(-count // 4)).view(np.int16)[:count]
    dropped = torch.empty_like(like)
    torch.lt(torch.from_numpy(words).view_as(like), dropped_words - _WORDS // 2, out=dropped)
    return dropped.mul_(torch.iinfo(like.dtype).min)


def _bits(weights: Tensor) -> Tensor:
    """Return the memory of the weights as integers."""
    return weights.view(_BITS[weights.element_size()])


def _kept(signed: Tensor) -> Tensor:
    """Return the weights with 0 for dropped ones: with the sign bit set, a weight is a negative integer."""
    return _bits(signed).clamp_min(0).view(signed.dtype)


def _magnitude(signed: Tensor) -> Tensor:
    """Return the weights before dropout."""
    bits = _bits(signed)
    return bits.bitwise_and(torch.iinfo(bits.dtype).max).view(signed.dtype)


def _zeros(like: Tensor) -> Tensor:
    """Return a sum to add to; in bf16 it would lose what many small products add."""
    return torch.zeros_like(like, dtype=torch.promote_types(like.dtype, torch.float32))


def _add_product(total: Tensor, first: Tensor, second: Tensor) -> None:
    if total.dtype == first.dtype:
        total.addmm_(first, second)
    else:
        total.add_(torch.mm(first, second))
