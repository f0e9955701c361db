"""Build the model of a variant from its configuration."""

from typing import Literal

from torch import Tensor, nn

from transpose.config.recipe import Recipe
from transpose.config.variant import (
    HEATMAP_STRIDE,
    Backbone,
    Encoder,
    HRNetBackbone,
    ResNetBackbone,
    Variant,
)
from transpose.models.blazepose import BlazePose
from transpose.models.encoder import TransformerEncoder, learnable_embedding, sine_embedding
from transpose.models.hrnet import HRNet
from transpose.models.resnet import ResNet
from transpose.models.transpose import TransPose


def build_model(variant: Variant, keypoints: int, dropout: float = 0.0, attention_dropout: float = 0.0) -> TransPose:
    """Build the model of a variant with `keypoints` heatmaps, in training mode; see `initialise` for its weights.

    `dropout` is applied after attention and in the feed-forward block, `attention_dropout` to the attention weights.
    """
    backbone = build_backbone(variant.backbone)
    dim = variant.dim or backbone.out_channels
    reduce = nn.Identity() if variant.dim is None else nn.Conv2d(backbone.out_channels, dim, 1, bias=False)
    upsampling, channels = build_upsampling(
        variant.upsampling, dim, variant.deconvolution_channels, backbone.stride // HEATMAP_STRIDE
    )
    return TransPose(
        backbone=backbone,
        reduce=reduce,
        encoder=_build_encoder(variant.encoder, dim, dropout, attention_dropout),
        pos_embedding=_build_embedding(variant.encoder, variant.grid_size, dim),
        embedding_grid=variant.grid_size,
        upsampling=upsampling,
        final_layer=nn.Conv2d(channels, keypoints, 1),
    )


def build_to_train(recipe: Recipe, keypoints: int) -> TransPose:
    """Build the model of a recipe with its dropout, in training mode; a frozen backbone needs no gradients."""
    training = recipe.training
    model = build_model(recipe.variant, keypoints, training.dropout, training.attention_dropout)
    model.backbone.requires_grad_(not training.freeze_backbone)
    training_mode(model)
    return model


def training_mode(model: TransPose) -> None:
    """Set training mode; BatchNorm of a frozen backbone keeps its running statistics."""
    model.train()
    if not any(parameter.requires_grad for parameter in model.backbone.parameters()):
        model.backbone.eval()


def build_backbone(settings: Backbone) -> ResNet | HRNet | BlazePose:
    """Build a backbone."""
    if isinstance(settings, ResNetBackbone):
        return ResNet(settings.block, settings.blocks, settings.width)
    if isinstance(settings, HRNetBackbone):
        return HRNet(settings.width, settings.stem_width, settings.bottlenecks, settings.modules, settings.blocks)
    return BlazePose()


def build_upsampling(
    kind: Literal["none", "deconvolution", "bilinear"], channels: int, deconvolution_channels: int, factor: int
) -> tuple[nn.Module, int]:
    """Return a module that upsamples [B, channels, h, w] by `factor` (a power of two), and its output channels."""
    if kind == "deconvolution":
        return _deconvolutions(channels, deconvolution_channels, factor), deconvolution_channels
    if kind == "bilinear":
        return nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False), channels
    return nn.Identity(), channels


def _build_encoder(
    settings: Encoder | None, dim: int, dropout: float, attention_dropout: float
) -> TransformerEncoder | None:
    if settings is None:
        return None
    return TransformerEncoder(settings.layers, dim, settings.heads, settings.feedforward, dropout, attention_dropout)


def _build_embedding(settings: Encoder | None, grid: tuple[int, int], dim: int) -> Tensor | None:
    if settings is None or settings.position_embedding == "none":
        return None
    if settings.position_embedding == "learnable":
        return learnable_embedding(grid, dim)
    return sine_embedding(grid, dim)


def _deconvolutions(channels: int, width: int, factor: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(factor.bit_length() - 1):
        layers.append(nn.ConvTranspose2d(channels, width, 4, stride=2, padding=1, bias=False))
        layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        channels = width
    return nn.Sequential(*layers)
