"""Backbone of BlazePose (Bazarevsky et al., 2020): encoder and feature pyramid of MediaPipe's full landmark model."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from transpose.data.normalise import IMAGENET_MEAN, IMAGENET_STD

_STEM_WIDTH, _FIRST_WIDTH = 24, 16
# Kernel size, stride, output channels and blocks of each stage.
_STAGES = ((3, 2, 24, 2), (5, 2, 32, 2), (3, 2, 64, 3), (5, 1, 88, 3), (5, 2, 144, 4))
_STRIDE_8, _STRIDE_16, _STRIDE_32 = 1, 3, 4
"""Indices of the last stages of stride 8, 16 and 32."""


class BlazePose(nn.Module):
    """Stem, five stages and a feature pyramid down to stride 8; convolutions have a bias and no BatchNorm.

    The output joins the pyramid's map and the last map of stride 16, each with mean 0 and variance 1.
    """

    stride = 8
    pyramid_width = 48
    left_out: tuple[str, ...] = ()
    """Prefixes of the names of the whole network's layers that this part of it does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _convolution(3, _STEM_WIDTH, 3, stride=2)
        self.first = nn.Sequential(_depthwise(_STEM_WIDTH, 3), nn.Conv2d(_STEM_WIDTH, _FIRST_WIDTH, 1))
        self.stages = nn.ModuleList()
        channels, expansion = _FIRST_WIDTH, 4
        for kernel, stride, width, count in _STAGES:
            blocks = nn.Sequential()
            for index in range(count):
                blocks.append(_InvertedResidual(channels, width, expansion, kernel, stride if index == 0 else 1))
                channels, expansion = width, 6
            self.stages.append(blocks)
        inner = channels * expansion
        self.top = nn.Sequential(_convolution(channels, inner, 1), _depthwise(inner, 3))
        self.laterals = nn.ModuleList(
            nn.Sequential(_depthwise(width, 3), _convolution(width, self.pyramid_width, 1))
            for width in (_STAGES[_STRIDE_8][2], _STAGES[_STRIDE_16][2], inner)
        )
        self.out_channels = self.pyramid_width + _STAGES[_STRIDE_16][2]
        # The weights are for pixels in [0, 1].
        mean, std = (torch.tensor(values)[:, None, None] for values in (IMAGENET_MEAN, IMAGENET_STD))
        self.register_buffer("scale", std, persistent=False)
        self.register_buffer("shift", mean, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W], normalised by ImageNet's mean -> features [B, out_channels, H / 8, W / 8]."""
        x = self.first(self.stem(images * self.get_buffer("scale") + self.get_buffer("shift")))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        # Attention needs maps of moderate size: those of a stage have values above 100.
        joined = [F.group_norm(one, 1) for one in (self._pyramid(maps), maps[_STRIDE_16])]
        return torch.cat((joined[0], F.interpolate(joined[1], size=joined[0].shape[-2:], mode="nearest")), dim=1)

    def _pyramid(self, maps: list[Tensor]) -> Tensor:
        """Last maps [B, _, h, w] of all stages -> sum of the laterals, from coarse to fine [B, 48, H / 8, W / 8]."""
        levels = maps[_STRIDE_8], maps[_STRIDE_16], self.top(maps[_STRIDE_32])
        fine, middle, coarse = (lateral(level) for lateral, level in zip(self.laterals, levels, strict=True))
        return fine + _resized(middle + _resized(coarse, middle), fine)


class _InvertedResidual(nn.Module):
    """A 1x1 convolution to more channels, a depthwise one, and a 1x1 one to fewer; a shortcut where the shape stays."""

    def __init__(self, channels: int, width: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        inner = channels * expansion
        self.expand = _convolution(channels, inner, 1)
        self.depthwise = _depthwise(inner, kernel, stride)
        self.project = nn.Conv2d(inner, width, 1)
        self.has_shortcut = stride == 1 and channels == width

    def forward(self, x: Tensor) -> Tensor:
        """[B, channels, H, W] -> [B, width, H / stride, W / stride]."""
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.has_shortcut else y


def _convolution(channels: int, width: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Return a padded convolution and ReLU6."""
    return nn.Sequential(
        nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, groups=groups), nn.ReLU6(inplace=True)
    )


def _depthwise(channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Return a convolution of each channel and ReLU6."""
    return _convolution(channels, channels, kernel, stride, groups=channels)


def _resized(coarse: Tensor, fine: Tensor) -> Tensor:
    """Coarse map [B, C, h, w] -> the size of the fine one, bilinear."""
    return F.interpolate(coarse, size=fine.shape[-2:], mode="bilinear", align_corners=False)
