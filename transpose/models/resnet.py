"""ResNet (He et al., 2016), truncated after any of its stages."""

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut, as in ResNet-18."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, H, W] -> [B, width, H / stride, W / stride]."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.downsample(x), inplace=True)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with a shortcut, as in ResNet-50; the 3x3 convolution has the stride."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        out_channels = self.expansion * width
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = _shortcut(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, H, W] -> [B, 4 * width, H / stride, W / stride]."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + self.downsample(x), inplace=True)


def residual_stage(
    block: type[BasicBlock] | type[Bottleneck], in_channels: int, width: int, blocks: int, stride: int = 1
) -> nn.Sequential:
    """Return `blocks` residual blocks; the first has `in_channels` input channels and the stride."""
    out_channels = block.expansion * width
    rest = (block(out_channels, width) for _ in range(blocks - 1))
    return nn.Sequential(block(in_channels, width, stride), *rest)


class ResNet(nn.Module):
    """Stem and the first `len(blocks)` stages, named `layer1`, `layer2`, ... (paper, section 3.1).

    With bottlenecks and blocks (3, 4) this is the paper's ResNet-Small: ResNet-50 up to stride 8.
    """

    def __init__(self, block: Literal["basic", "bottleneck"], blocks: Sequence[int], width: int = 64) -> None:
        super().__init__()
        kind = {"basic": BasicBlock, "bottleneck": Bottleneck}[block]
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.stage_names = [f"layer{number}" for number in range(1, len(blocks) + 1)]
        channels = width
        for index, (name, count) in enumerate(zip(self.stage_names, blocks, strict=True)):
            stage_width = width * 2**index
            self.add_module(name, residual_stage(kind, channels, stage_width, count, stride=2 if index else 1))
            channels = kind.expansion * stage_width
        self.out_channels = channels
        self.stride = 4 * 2 ** (len(blocks) - 1)

    @property
    def left_out(self) -> tuple[str, ...]:
        """Prefixes of the names of the whole network's layers that this part of it does not have."""
        return tuple(f"layer{number}." for number in range(len(self.stage_names) + 1, 5))

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, H, W] -> features [B, out_channels, H / stride, W / stride]."""
        x = F.relu(self.bn1(self.conv1(images)), inplace=True)
        x = F.max_pool2d(x, 3, stride=2, padding=1)
        for name in self.stage_names:
            x = self.get_submodule(name)(x)
        return x


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    projection = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
    return nn.Sequential(projection, nn.BatchNorm2d(out_channels))
