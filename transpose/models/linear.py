"""Matrix products by oneDNN on a CPU, which PyTorch itself uses in bf16 only."""

import platform
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

_LEAST_PRODUCTS = 10**7
"""Multiplications of a product from which oneDNN is faster; its call takes 15 us more than PyTorch's."""


def linear_by_onednn(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Input [..., in], weight [out, in] and bias [out] -> [..., out], in the weight's dtype.

    Computed by PyTorch's layer for small inputs, other dtypes than `has_onednn`, and where gradients are needed.
    """
    x, bias = x.to(weight.dtype), None if bias is None else bias.to(weight.dtype)
    is_small = x.numel() * len(weight) < _LEAST_PRODUCTS
    if is_small or torch.is_grad_enabled() or not has_onednn(weight.dtype):
        return F.linear(x, weight, bias)
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


@cache
def has_onednn(dtype: torch.dtype) -> bool:
    """Whether PyTorch's operators of oneDNN compute in a dtype here, on the processors that they were measured on."""
    is_here = torch.backends.mkldnn.is_available() and platform.machine().lower() in ("x86_64", "amd64")
    # Without AVX-512, the operators refuse bf16, which PyTorch's layers emulate.
    has_bf16 = dtype == torch.bfloat16 and is_here and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return has_bf16 or (dtype == torch.float32 and is_here)
