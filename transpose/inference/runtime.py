"""The library that computes the forward passes of a model."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from transpose.config.runtime import RuntimeUsed
from transpose.data.normalise import normalise
from transpose.device import DeviceContext
from transpose.inference.flip import mean_with_mirrored
from transpose.models.attention_products import attention_form
from transpose.skeleton import Skeleton

CropsToHeatmaps = Callable[[np.ndarray], np.ndarray]
"""Computes heatmaps [B, K, h, w] float32 of crops [B, H, W, 3] uint8 RGB, on the CPU."""


@dataclass(frozen=True)
class NetworkRuntime:
    """A library with a network loaded into it."""

    used: RuntimeUsed
    heatmaps: CropsToHeatmaps | None = None
    """None in PyTorch, which runs the model's own network."""


def torch_runtime(context: DeviceContext, attends: bool) -> NetworkRuntime:
    """Return PyTorch; `attends` is whether the network has an encoder."""
    form = attention_form(context.device.type, context.torch_dtype) if attends else None
    return NetworkRuntime(RuntimeUsed(name="torch", version=torch.__version__, dtype=context.dtype, attention=form))


def heatmaps_by(run: CropsToHeatmaps, crops: Tensor, flipped_for: Skeleton | None) -> list[Tensor]:
    """Return heatmaps of crops [B, H, W, 3] uint8 RGB and, with a skeleton, their mean with the mirrored crops'."""
    heatmaps = [torch.from_numpy(run(crops.numpy()))]
    if flipped_for is not None:
        mirrored = torch.from_numpy(run(crops.flip(2).numpy()))
        heatmaps.append(mean_with_mirrored(heatmaps[0], mirrored, flipped_for))
    return heatmaps


def heatmaps_of(
    network: nn.Module, context: DeviceContext, flipped_for: Skeleton | None, crops: Tensor
) -> list[Tensor]:
    """Return heatmaps as `heatmaps_by`, computed by PyTorch on the device."""
    # Entered here, so that a graph contains the casts of weights that autocast would keep for its whole context.
    with context.autocast():
        images = normalise(context.send(crops))
        heatmaps = [network(images)]
        if flipped_for is not None:
            heatmaps.append(mean_with_mirrored(heatmaps[0], network(images.flip(-1)), flipped_for))
    return heatmaps
