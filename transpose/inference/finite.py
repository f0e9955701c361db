"""Check that heatmaps are finite."""

import torch
from torch import Tensor

_FP16_OVERFLOW = "fp16 overflows above 65,504; use bf16 or fp32"


def finite_on_cpu(heatmaps: Tensor) -> Tensor:
    """Return heatmaps of any shape as contiguous float32 on the CPU.

    Raises:
        FloatingPointError: they are not finite, for example because training has diverged.
    """
    # Made contiguous on the device, where it is faster; no copy after `optimize_for_inference`.
    on_cpu = heatmaps.float().contiguous().cpu()
    check_finite(on_cpu, "training has diverged" if heatmaps.dtype != torch.float16 else _FP16_OVERFLOW)
    return on_cpu


def check_finite(heatmaps: Tensor, cause: str = "training has diverged") -> None:
    """Check that heatmaps of any shape are finite.

    Args:
        cause: likely cause, for the error message.

    Raises:
        FloatingPointError: a value is not finite.
    """
    if not heatmaps.numel():
        return
    # One pass without a copy; `isfinite` needs several, which is slow for hundreds of heatmaps per person.
    lowest, highest = heatmaps.aminmax()
    if not (lowest.isfinite() and highest.isfinite()):
        raise FloatingPointError(f"the model's heatmaps are not finite; {cause}")
