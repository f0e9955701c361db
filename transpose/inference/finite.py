"""Heatmaps that are not finite are refused: those of a model whose training has diverged."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from transpose.errors import InputError

_OF_FP16 = "fp16 ends at 65,504: take bf16 or fp32"


@contextmanager
def finite_heatmaps_of(source: Path) -> Iterator[None]:
    """While entered, heatmaps that are not finite are the fault of `source`: the weights, or a training's folder.

    Raises:
        InputError: a heatmap is not finite.
    """
    try:
        yield
    except FloatingPointError as error:
        raise InputError(source, None, None, str(error)) from None


def finite_on_cpu(heatmaps: Tensor) -> Tensor:
    """Heatmaps of any shape as float32 on the CPU, one after the other in memory.

    Raises:
        FloatingPointError: they are not finite, as those of a diverged model.
    """
    # Those of an inference form are in order already; others are put in order on the device, where a GPU is fast.
    on_cpu = heatmaps.float().contiguous().cpu()
    check_finite(on_cpu, "training has diverged" if heatmaps.dtype != torch.float16 else _OF_FP16)
    return on_cpu


def check_finite(heatmaps: Tensor, cause: str = "training has diverged") -> None:
    """See that heatmaps of any shape are finite.

    Args:
        cause: of numbers that are not.

    Raises:
        FloatingPointError: they are not, as those of a diverged model.
    """
    if not heatmaps.numel():
        return
    # One pass without a copy; `isfinite` takes several, which shows where a person has hundreds of heatmaps.
    lowest, highest = heatmaps.aminmax()
    if not (lowest.isfinite() and highest.isfinite()):
        raise FloatingPointError(f"the model's heatmaps are not finite; {cause}")
