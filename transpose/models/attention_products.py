"""Attention in bf16 by two matrix products and a softmax, for a CPU without AMX.

PyTorch's fused kernel gains by bf16 with AMX only. With AVX-512's bf16 instructions alone it takes as long as in fp32,
and the products 0.58 to 0.77 of that (docs/performance.md).
"""

import math
from functools import cache

import torch
from torch import Tensor

from transpose.config.runtime import AttentionForm

_BLOCK_WEIGHTS = 2**20
"""Weights of a block: 2 MiB. Without blocks it is as fast, with 288 MiB for 16 crops of TransPose-H."""


def attention_form(device: str, dtype: torch.dtype) -> AttentionForm:
    """Return how predictions compute attention on a type of device: a property of processor and dtype, not measured."""
    return "products" if device == "cpu" and dtype == torch.bfloat16 and _has_bf16_without_amx() else "fused"


@cache
def _has_bf16_without_amx() -> bool:
    # Older versions of PyTorch lack this function.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(capabilities.get("avx512_bf16")) and not capabilities.get("amx_bf16")


@torch.library.custom_op("transpose::attend_by_products", mutates_args=())
def attend_by_products(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Queries, keys and values [B, heads, L, dim] each, on the CPU -> [B, heads, L, dim], without gradients.

    The weights are computed for some rows of a head, or for some heads, at a time. An operator of PyTorch, so that the
    compiler does not unroll the loop.
    """
    scaled = query / math.sqrt(query.shape[-1])
    queries, keys, values = (one.flatten(0, 1).contiguous() for one in (scaled, key, value))
    heads, length, _ = queries.shape
    rows = min(length, max(1, _BLOCK_WEIGHTS // length))
    step = max(1, _BLOCK_WEIGHTS // (rows * length))
    output, weights = torch.empty_like(values), queries.new_empty(step, rows, length)
    for first in range(0, heads, step):
        of_heads = slice(first, first + step)
        for start in range(0, length, rows):
            some = queries[of_heads, start : start + rows]
            block = weights[: some.shape[0], : some.shape[1]]
            torch.bmm(some, keys[of_heads].mT, out=block)
            torch.softmax(block, -1, out=block)
            torch.bmm(block, values[of_heads], out=output[of_heads, start : start + rows])
    return output.view(query.shape)


@attend_by_products.register_fake
def _(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return torch.empty_like(value, memory_format=torch.contiguous_format)
