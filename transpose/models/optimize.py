"""Optimise a trained model for inference: fold batch norms, convert weights, compile."""

import copy
from itertools import pairwise
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from transpose.device import DeviceContext
from transpose.models.compiler import compiled_forward
from transpose.models.onednn import use_onednn
from transpose.models.transpose import TransPose

Model = TypeVar("Model", bound=nn.Module)


def optimize_for_inference(model: Model, context: DeviceContext) -> Model:
    """Return a copy of the model in evaluation mode on the device, with folded batch norms, compiled if configured.

    Weights of matrix products are stored in the autocast dtype, which saves a conversion in every pass. The heatmaps
    [B, K, h, w] of a TransPose model are contiguous, which makes decoding fast.
    """
    placed = context.to_device(fold_batch_norms(model))
    if isinstance(placed, TransPose):
        placed.final_layer = Conv1x1AsMatmul(placed.final_layer)
    if context.torch_dtype != torch.float32:
        for name, parameter in placed.named_parameters():
            if name.endswith("weight") and parameter.dim() > 1:
                parameter.data = parameter.data.to(context.torch_dtype)
    use_onednn(placed, context)
    if context.compiled:
        placed.forward = compiled_forward(placed, frozen=True)
    return placed


class Conv1x1AsMatmul(nn.Conv2d):
    """A 1x1 convolution as a matrix product: input [B, C, h, w] in any memory format, output [B, K, h, w] contiguous.

    A convolution keeps the channels-last format of its input, where the values of one heatmap are far apart.
    """

    def __init__(self, convolution: nn.Conv2d) -> None:
        """Share the weights of a convolution.

        Raises:
            ValueError: it is not a plain 1x1 convolution with a bias.
        """
        super().__init__(convolution.in_channels, convolution.out_channels, 1, device="meta")
        if convolution.extra_repr() != self.extra_repr() or convolution.bias is None:
            raise ValueError(f"not a 1x1 convolution with a bias: {convolution}")
        self.weight, self.bias = convolution.weight, convolution.bias

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is the parent's
        """Features [B, C, h, w] -> [B, K, h, w]."""
        pixels = input.flatten(2)
        bias = self.get_parameter("bias")[:, None].expand(len(pixels), -1, pixels.shape[2])
        weight = self.weight.flatten(1).expand(len(pixels), -1, -1)
        return torch.baddbmm(bias, weight, pixels).unflatten(2, input.shape[2:])


def fold_batch_norms(model: Model) -> Model:
    """Return a copy in evaluation mode with each batch norm folded into the convolution before it.

    Assumes that a batch norm registered after a convolution also runs directly after it; this is true for all backbones
    and heads here.
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
