"""Convolutions and linear layers by oneDNN for inference on a CPU: faster than PyTorch's layers for small batches.

Convolutions keep their weights in oneDNN's layout, and add the shortcut and apply ReLU before they write their output.
PyTorch computes 1x1 convolutions of small batches, and linear layers in fp32, by other libraries, and some linear
layers in bf16 take 1.7 times as long there.
"""

from typing import Any

import torch
from torch import Tensor, nn

from transpose.device import DeviceContext
from transpose.models.encoder import EncoderLayer
from transpose.models.linear import has_onednn, linear_by_onednn
from transpose.models.resnet import BasicBlock, Bottleneck
from transpose.models.transpose import TransPose


def use_onednn(model: nn.Module, context: DeviceContext) -> None:
    """Replace layers of a model with folded batch norms, in place; do nothing where oneDNN is not used.

    That is on a GPU, on other processors than x86, and for compiled networks, whose compiler does the same.
    """
    if context.device.type != "cpu" or context.compiled or not has_onednn(context.torch_dtype):
        return
    for parent in list(model.modules()):
        if isinstance(parent, TransPose) and isinstance(parent.reduce, nn.Conv2d):
            parent.reduce = OneDnnConvolution(parent.reduce, rectified=False)
        if isinstance(parent, EncoderLayer):
            parent.linear = parent.self_attn.linear = linear_by_onednn
        for name, child in list(parent.named_children()):
            if isinstance(child, BasicBlock | Bottleneck):
                setattr(parent, name, OneDnnBlock(child))
            elif isinstance(child, nn.Sequential):
                _replace_first(child)


class OneDnnConvolution(nn.Module):
    """A convolution, with an addend and ReLU; without gradients."""

    def __init__(self, convolution: nn.Conv2d, rectified: bool) -> None:
        """Share the weights of a convolution, and compute in their dtype."""
        super().__init__()
        self.shape = (convolution.padding, convolution.stride, convolution.dilation, convolution.groups)
        self.weight = convolution.weight.detach()
        self.packed_weight, self.packed_for = self.weight, torch.Size()
        self.bias = None if convolution.bias is None else convolution.bias.detach().to(self.weight.dtype)
        self.rectified = rectified

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the packed weights, which cannot be copied; a copy packs them again."""
        return self.__dict__ | {"packed_weight": self.weight, "packed_for": torch.Size()}

    def forward(self, x: Tensor, addend: Tensor | None = None) -> Tensor:
        """[B, C, H, W] -> [B, C', H', W'], the shape of the addend."""
        if x.shape != self.packed_for:
            # The fastest layout depends on the size of the input.
            self.packed_weight = torch.ops.mkldnn._reorder_convolution_weight(self.weight, *self.shape, x.shape)
            self.packed_for = x.shape
        x, operands = x.to(self.weight.dtype), (self.packed_weight, self.bias, *self.shape)
        if addend is None:
            kind = "relu" if self.rectified else "none"
            return torch.ops.mkldnn._convolution_pointwise(x, *operands, kind, [], "")
        kind = "relu" if self.rectified else None
        addend = addend.to(x.dtype)
        return torch.ops.mkldnn._convolution_pointwise.binary(x, addend, *operands, "add", 1.0, kind, [], None)


class OneDnnBlock(nn.Module):
    """A residual block; its last convolution adds the shortcut."""

    def __init__(self, block: BasicBlock | Bottleneck) -> None:
        """Share the weights of a block with folded batch norms."""
        super().__init__()
        convolutions = (child for child in block.children() if isinstance(child, nn.Conv2d))
        self.convolutions = nn.ModuleList(OneDnnConvolution(one, rectified=True) for one in convolutions)
        self.downsample = block.downsample
        if isinstance(self.downsample, nn.Sequential):
            _replace_first(self.downsample)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, H, W] -> [B, out_channels, H / stride, W / stride]."""
        *convolutions, last = self.convolutions
        y = x
        for convolution in convolutions:
            y = convolution(y)
        return last(y, self.downsample(x))


def _replace_first(layers: nn.Sequential) -> None:
    """Replace a convolution at the start, with the ReLU after it if there is one.

    Others than 1x1: outside of blocks those are small, and their call by oneDNN takes longer.
    """
    convolution, *others = layers
    if not isinstance(convolution, nn.Conv2d) or convolution.kernel_size == (1, 1):
        return
    rectified = bool(others) and isinstance(others[-1], nn.ReLU)
    layers[0] = OneDnnConvolution(convolution, rectified)
    if rectified:
        layers[len(others)] = nn.Identity()
