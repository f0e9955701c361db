"""EfficientNet-Lite0 (Tan and Le, 2019; the Lite form by Google, 2020), truncated at stride 16."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transpose.data.normalise import IMAGENET_MEAN, IMAGENET_STD

_STEM_WIDTH = 32
# Expansion, kernel size, stride, output channels and blocks of each stage.
_STAGES = ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3))
_STRIDE_8, _STRIDE_16 = 2, 4
"""Indices of the last stages of stride 8 and 16."""


class EfficientNetLite(nn.Module):
    """Stem and five stages; the output joins the last maps of stride 8 and 16, each with mean 0 and variance 1.

    Modules have the names of timm's `tf_efficientnet_lite0`. A convolution of stride 2 is padded as in TensorFlow, the
    source of the weights: at the right and bottom more than at the left and top.
    """

    stride = 8
    left_out = ("blocks.5.", "blocks.6.", "conv_head.", "bn2.")
    """Prefixes of the names of the whole network's layers that this part of it does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = _SamePadding(3, _STEM_WIDTH, 3, stride=2)
        self.bn1 = _batch_norm(_STEM_WIDTH)
        self.blocks = nn.Sequential()
        channels = _STEM_WIDTH
        for expansion, kernel, stride, width, count in _STAGES:
            first = _block(channels, width, expansion, kernel, stride)
            rest = (_block(width, width, expansion, kernel, 1) for _ in range(count - 1))
            self.blocks.append(nn.Sequential(first, *rest))
            channels = width
        self.out_channels = _STAGES[_STRIDE_8][3] + _STAGES[_STRIDE_16][3]
        # The weights are for pixels in [-1, 1].
        mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
        self.register_buffer("scale", 2 * std, persistent=False)
        self.register_buffer("shift", 2 * mean - 1, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W], normalised by ImageNet's mean -> features [B, out_channels, H / 8, W / 8]."""
        pixels = images * self.get_buffer("scale") + self.get_buffer("shift")
        maps = [F.relu6(self.bn1(self.conv_stem(pixels)))]
        for stage in self.blocks:
            maps.append(stage(maps[-1]))
        # A block ends without activation, with values up to 50: attention over them would look at one token only.
        fine, coarse = (F.group_norm(maps[1 + index], 1) for index in (_STRIDE_8, _STRIDE_16))
        return torch.cat((fine, F.interpolate(coarse, size=fine.shape[-2:], mode="nearest")), dim=1)


class _SamePadding(nn.Conv2d):
    """A convolution without bias, padded as in TensorFlow: the output has the input's size over the stride, rounded up.

    PyTorch's own padding is the same on both sides.
    """

    def __init__(self, channels: int, width: int, kernel: int, stride: int, groups: int = 1) -> None:
        super().__init__(channels, width, kernel, stride, groups=groups, bias=False)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name is the parent's
        """[B, channels, H, W] -> [B, width, H / stride, W / stride]."""
        height, width = (_missing(side, self.kernel_size[0], self.stride[0]) for side in input.shape[-2:])
        padding = (width // 2, width - width // 2, height // 2, height - height // 2)
        return super().forward(F.pad(input, padding))


class _FirstBlock(nn.Module):
    """A depthwise and a 1x1 convolution."""

    def __init__(self, channels: int, width: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = _SamePadding(channels, channels, kernel, stride, groups=channels)
        self.bn1 = _batch_norm(channels)
        self.conv_pw = nn.Conv2d(channels, width, 1, bias=False)
        self.bn2 = _batch_norm(width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W] -> [B, width, H / stride, W / stride]."""
        return self.bn2(self.conv_pw(F.relu6(self.bn1(self.conv_dw(x)))))


class _InvertedResidual(nn.Module):
    """A 1x1 convolution to more channels, a depthwise one, and a 1x1 one to fewer; a shortcut where the shape stays."""

    def __init__(self, channels: int, width: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        inner = channels * expansion
        self.conv_pw = nn.Conv2d(channels, inner, 1, bias=False)
        self.bn1 = _batch_norm(inner)
        self.conv_dw = _SamePadding(inner, inner, kernel, stride, groups=inner)
        self.bn2 = _batch_norm(inner)
        self.conv_pwl = nn.Conv2d(inner, width, 1, bias=False)
        self.bn3 = _batch_norm(width)
        self.has_shortcut = stride == 1 and channels == width

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W] -> [B, width, H / stride, W / stride]."""
        y = F.relu6(self.bn1(self.conv_pw(x)))
        y = F.relu6(self.bn2(self.conv_dw(y)))
        y = self.bn3(self.conv_pwl(y))
        return x + y if self.has_shortcut else y


def _block(channels: int, width: int, expansion: int, kernel: int, stride: int) -> nn.Module:
    if expansion == 1:
        return _FirstBlock(channels, width, kernel, stride)
    return _InvertedResidual(channels, width, expansion, kernel, stride)


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


def _missing(side: int, kernel: int, stride: int) -> int:
    """Return how many pixels a side lacks, so that the kernel fits at each stride."""
    return max((-(-side // stride) - 1) * stride + kernel - side, 0)
