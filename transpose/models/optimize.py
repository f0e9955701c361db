"""A trained model as it predicts fastest: the same function, in another form."""

import copy
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from transpose.device import DeviceContext
from transpose.models.transpose import TransPose

Model = TypeVar("Model", bound=nn.Module)


def optimize_for_inference(model: Model, context: DeviceContext) -> Model:
    """A copy of the model in evaluation mode on its device, batch norms folded, compiled if `context` says so.

    Weights of products are held in the dtype that autocast would convert them to in every pass. The heatmaps
    [B, K, h, w] of a TransPose model lie one after the other in memory, as those who decode them want them.
    """
    placed = context.to_device(fold_batch_norms(model))
    if isinstance(placed, TransPose):
        placed.final_layer = Conv1x1AsMatmul(placed.final_layer)
    if context.torch_dtype != torch.float32:
        for name, parameter in placed.named_parameters():
            if name.endswith("weight") and parameter.dim() > 1:
                parameter.data = parameter.data.to(context.torch_dtype)
    if context.compiled:
        _compile(placed, context)
    return placed


class Conv1x1AsMatmul(nn.Conv2d):
    """A convolution of one pixel as a product of matrices: in [B, C, h, w] of any order, out [B, K, h, w] contiguous.

    A convolution would leave the K maps in the order of its input, channels-last, with the values of one map far apart.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        """Share the weights of a convolution.

        Raises:
            ValueError: it does more than to weigh the channels of each pixel.
        """
        super().__init__(convolution.in_channels, convolution.out_channels, 1, device="meta")
        if convolution.extra_repr() != self.extra_repr() or convolution.bias is None:
            raise ValueError(f"not a convolution of one pixel with a bias: {convolution}")
        self.weight, self.bias = convolution.weight, convolution.bias

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is the parent's
        """Features [B, C, h, w] -> [B, K, h, w]."""
        pixels = input.flatten(2)
        bias = self.get_parameter("bias")[:, None].expand(len(pixels), -1, pixels.shape[2])
        weight = self.weight.flatten(1).expand(len(pixels), -1, -1)
        return torch.baddbmm(bias, weight, pixels).unflatten(2, input.shape[2:])


def _compile(model: nn.Module, context: DeviceContext) -> None:
    """Let the model's forward pass be compiled when it first runs, and on CUDA be replayed as one graph."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(_compiler_cache()))
    replays = context.device.type == "cuda"
    # Shapes are promised (`DeviceContext.pad_batch`); freezing lays the weights out for the kernels once and for all.
    compiled = torch.compile(model.forward, dynamic=False, options={"freezing": True, "triton.cudagraphs": replays})
    model.forward = _with_own_outputs(compiled) if replays else compiled


def _with_own_outputs(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A replayed pass with outputs of its own: the next replay writes where the last one's output lies."""

    def with_own_outputs(*inputs: Tensor) -> Tensor:
        return forward(*inputs).clone()

    return with_own_outputs


def fold_batch_norms(model: Model) -> Model:
    """A copy in evaluation mode whose convolutions do what the batch norm right behind each of them did.

    A module's children are taken to run in the order in which they were made wherever a batch norm follows a
    convolution; all backbones and heads here keep to that.
    """
    folded = copy.deepcopy(model).eval()
    for parent in folded.modules():
        children = list(parent.named_children())
        for (name, convolution), (norm_name, norm) in pairwise(children):
            if isinstance(convolution, nn.Conv2d | nn.ConvTranspose2d) and isinstance(norm, nn.BatchNorm2d):
                transposed = isinstance(convolution, nn.ConvTranspose2d)
                setattr(parent, name, fuse_conv_bn_eval(convolution, norm, transposed))
                setattr(parent, norm_name, nn.Identity())
    return folded


def _compiler_cache() -> Path:
    """Where compiled kernels are kept over runs; PyTorch's own choice is a folder that a restart empties."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "transpose" / "torchinductor"
