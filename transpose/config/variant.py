"""A model variant: backbone, encoder and head."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from transpose.config.base import Name, Settings, Size

HEATMAP_STRIDE = 4
"""Heatmaps have a quarter of the input's height and width (paper, section 3.1)."""


@dataclass(frozen=True)
class OwnKey:
    """Marks a key that a variant does not inherit from the variant that it extends."""


class ResNetBackbone(Settings):
    """ResNet up to its last listed stage: `layer1`, `layer2`, ..."""

    family: Literal["resnet"]
    block: Literal["basic", "bottleneck"] = Field(
        default="bottleneck", description="Residual block: basic as in ResNet-18, bottleneck as in ResNet-50."
    )
    blocks: tuple[PositiveInt, ...] = Field(
        default=(3, 4), min_length=1, max_length=4, description="Residual blocks per stage."
    )
    width: int = Field(
        default=64,
        multiple_of=8,
        gt=0,
        description="Channels of the stem and of the first stage's blocks. Fewer than 8 are refused, because the"
        " strided 1x1 convolution of a shortcut then writes past its workspace on AVX2 processors (oneDNN issue 6035).",
    )

    @property
    def stride(self) -> int:
        """Input pixels per cell of the last feature map."""
        return 4 * 2 ** (len(self.blocks) - 1)


class HRNetBackbone(Settings):
    """HRNet up to its last listed stage; its output is the branch of highest resolution (stride 4)."""

    family: Literal["hrnet"]
    width: PositiveInt = Field(default=32, description="Channels of the branch of highest resolution.")
    stem_width: PositiveInt = Field(
        default=64, description="Channels of the two stride-2 convolutions and of layer1's bottlenecks."
    )
    bottlenecks: PositiveInt = Field(default=4, description="Bottleneck blocks in layer1.")
    modules: tuple[PositiveInt, ...] = Field(
        default=(1, 4), min_length=1, max_length=3, description="Exchange modules in stage 2, 3 (and 4)."
    )
    blocks: PositiveInt = Field(default=4, description="Basic blocks per branch of a module.")

    @property
    def stride(self) -> int:
        """Input pixels per cell of the feature map."""
        return 4


class BlazePoseBackbone(Settings):
    """BlazePose's encoder and feature pyramid; its output joins the pyramid's map and the last map of stride 16."""

    family: Literal["blazepose"]

    @property
    def stride(self) -> int:
        """Input pixels per cell of the feature map."""
        return 8


Backbone = Annotated[ResNetBackbone | HRNetBackbone | BlazePoseBackbone, Field(discriminator="family")]


class Encoder(Settings):
    """Transformer encoder over the flattened feature map."""

    layers: PositiveInt
    heads: PositiveInt
    feedforward: PositiveInt = Field(description="Hidden width of the feed-forward block.")
    position_embedding: Literal["none", "learnable", "sine"] = Field(
        default="sine", description="Added to queries and keys, never to values."
    )


class Variant(Settings):
    """Architecture of one model, without training settings."""

    title: Annotated[str, OwnKey()] = Field(description="Name in tables and figures.")
    input_size: Size = (256, 192)
    backbone: Backbone
    dim: PositiveInt | None = Field(
        default=None, description="Channels after the 1x1 reduction; null keeps the backbone's channels."
    )
    encoder: Encoder | None = Field(default=None, description="null is the baseline without a transformer encoder.")
    upsampling: Literal["none", "deconvolution", "bilinear"] = Field(
        default="none", description="From the backbone's stride to the heatmaps' stride of 4."
    )
    deconvolution_channels: PositiveInt = Field(default=256, description="Channels of each deconvolution.")
    published: Annotated[str | None, OwnKey()] = Field(
        default=None, description="Name of the row in config/tables/published.yaml that this variant reproduces."
    )
    released: Annotated[Name | None, OwnKey()] = Field(
        default=None, description="Name of the authors' checkpoint in config/tables/weights.yaml, if there is one."
    )

    @property
    def heatmap_size(self) -> tuple[int, int]:
        """(height, width) of the heatmaps."""
        return self.input_size[0] // HEATMAP_STRIDE, self.input_size[1] // HEATMAP_STRIDE

    @property
    def grid_size(self) -> tuple[int, int]:
        """(height, width) of the feature map whose cells are the encoder's tokens."""
        return self.input_size[0] // self.backbone.stride, self.input_size[1] // self.backbone.stride

    @model_validator(mode="after")
    def _is_consistent(self) -> "Variant":
        stride = self.backbone.stride
        if any(side <= 0 or side % stride for side in self.input_size):
            raise ValueError(f"input_size {list(self.input_size)} is not divisible by the backbone's stride {stride}")
        if (self.upsampling == "none") != (stride == HEATMAP_STRIDE):
            raise ValueError(f"upsampling '{self.upsampling}' does not convert stride {stride} to {HEATMAP_STRIDE}")
        if self.encoder is not None:
            if self.dim is None:
                raise ValueError("an encoder needs dim")
            if self.dim % self.encoder.heads:
                raise ValueError(f"dim {self.dim} is not divisible by {self.encoder.heads} heads")
            if self.encoder.position_embedding == "sine" and self.dim % 4:
                raise ValueError(f"the sine position embedding needs dim divisible by 4, not {self.dim}")
        return self
