"""Attention with dropout of its weights on a CPU, for which PyTorch's fused kernel has no dropout.

Masks come from 16-bit random words, which cost a tenth of Bernoulli draws. Softmax, mask and products are computed for
some rows of the weights at a time, so that they stay in the processor's cache. Of a layer, autograd keeps the weights
once, with the mask in their sign.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_WORDS = 2**16
_BLOCK_WEIGHTS = 2**18
"""Weights of a block: 1 MiB in fp32, about a core's second-level cache."""


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
            signed.mul_(_keep_or_drop(signed, dropped_words, seed, block))
            torch.mm(signed.relu(), value[image_head], out=output[image_head][rows])
        ctx.scale = _WORDS / (_WORDS - dropped_words)
        ctx.save_for_backward(query, key, value, weights)
        return output.mul_(ctx.scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        query, key, value, weights = ctx.saved_tensors
        scaled = (gradients[0] * ctx.scale).contiguous()
        of_query, of_key, of_value = torch.empty_like(query), _zeros(key), _zeros(value)
        for image_head, rows in _blocks(query):
            signed = weights[image_head][rows]
            kept, magnitude = signed.relu(), signed.abs()
            _add_product(of_value[image_head], kept.t(), scaled[image_head][rows])
            product = torch.mm(scaled[image_head][rows], value[image_head].t())
            # Softmax's derivative subtracts the weighted mean of a row's gradients from each of them.
            means = (product * kept).sum(-1, keepdim=True)
            product.mul_(torch.gt(signed, 0, out=kept)).sub_(means).mul_(magnitude)
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


def _keep_or_drop(like: Tensor, dropped_words: int, seed: int, block: int) -> Tensor:
    """Return 1 for kept and -1 for dropped weights, in the form and type of `like`."""
    count = like.numel()
    words = np.random.SFC64([seed, block]).random_raw(-(-count // 4)).view(np.int16)[:count]
    kept = torch.empty_like(like)
    torch.ge(torch.from_numpy(words).view_as(like), dropped_words - _WORDS // 2, out=kept)
    return kept.mul_(2).sub_(1)


def _zeros(like: Tensor) -> Tensor:
    """Return a sum to add to; in bf16 it would lose what many small products add."""
    return torch.zeros_like(like, dtype=torch.promote_types(like.dtype, torch.float32))


def _add_product(total: Tensor, first: Tensor, second: Tensor) -> None:
    if total.dtype == first.dtype:
        total.addmm_(first, second)
    else:
        total.add_(torch.mm(first, second))
