"""Attention in bf16 by two matrix products and a softmax, for a CPU with fast bf16 instructions and without AMX: Zen 4.

PyTorch's fused kernel gains by bf16 with AMX only. There it takes as long as in fp32, and the products 0.59 to 0.70 of
that (docs/performance-notes.md).
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from transpose.config.runtime import AttentionForm

_BLOCK_WEIGHTS = 2**20
"""Weights of a block: 2 MiB. Without blocks it is as fast, with 288 MiB for 16 crops of TransPose-H."""


def instructions() -> Mapping[str, Any]:
    """Return the processor's instruction sets by name; none with a version of PyTorch that does not know them."""
    return getattr(torch.cpu, "get_capabilities", dict)()


_INSTRUCTIONS = instructions()  # the compiler cannot follow the call


def attention_form(device: str, dtype: torch.dtype) -> AttentionForm:
    """Return how predictions compute attention on a type of device: a property of processor and dtype, not measured."""
    # Processors with fp16 in AVX-512 have AMX, for which the fused kernel is made. If a virtual machine hides it, their
    # bf16 has half the speed of fp32, and products take 1.1 to 1.3 times as long as the fused kernel.
    has_amx_or_hides_it = _INSTRUCTIONS.get("amx_bf16") or _INSTRUCTIONS.get("avx512_fp16")
    has_fast_bf16 = _INSTRUCTIONS.get("avx512_bf16") and not has_amx_or_hides_it
    return "products" if device == "cpu" and dtype == torch.bfloat16 and has_fast_bf16 else "fused"


def attend_by_products(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Queries, keys and values [B, heads, L, dim] each, on the CPU -> [B, heads, L, dim], without gradients.

    The weights are computed for some rows of a head, or for some heads, at a time.
    """
    return torch.ops.transpose.attend_by_products(query, key, value)


# An operator of PyTorch, so that the compiler does not unroll the loop. With `torch.library.custom_op`, the first call
# would import the compiler, which takes more than a second.
_OPERATOR = "transpose::attend_by_products"
torch.library.define(_OPERATOR, "(Tensor query, Tensor key, Tensor value) -> Tensor")


@torch.library.impl(_OPERATOR, "cpu")
def _attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
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


@torch.library.register_fake(_OPERATOR)
def _(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return torch.empty_like(value, memory_format=torch.contiguous_format)
