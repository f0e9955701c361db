"""Upsampling from the encoder's grid to the heatmap resolution."""

from typing import Literal

from torch import nn


def build_upsampling(
    kind: Literal["none", "deconvolution", "bilinear"], channels: int, deconvolution_channels: int, factor: int
) -> tuple[nn.Module, int]:
    """Return a module that upsamples [B, channels, h, w] by `factor` (a power of two), and its output channels."""
    if kind == "deconvolution":
        return _deconvolutions(channels, deconvolution_channels, factor), deconvolution_channels
    if kind == "bilinear":
        return nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False), channels
    return nn.Identity(), channels


def _deconvolutions(channels: int, width: int, factor: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(factor.bit_length() - 1):
        layers.append(nn.ConvTranspose2d(channels, width, 4, stride=2, padding=1, bias=False))
        layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        channels = width
    return nn.Sequential(*layers)
