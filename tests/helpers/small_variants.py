"""Variants that run in milliseconds: inputs of 32x24 pixels, grids of 4x3 (R) and 8x6 (H) tokens."""

from collections.abc import Mapping

import torch

from transpose.config.variant import Variant
from transpose.models.initialise import initialise
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model

KEYPOINTS = 5
FAMILIES = ("resnet", "hrnet")

_COMMON = {
    "title": "small",
    "input_size": (32, 24),
    "dim": 8,
    "encoder": {"layers": 2, "heads": 2, "feedforward": 12, "position_embedding": "sine"},
}
_FAMILIES = {
    "resnet": {
        "backbone": {"family": "resnet", "block": "basic", "blocks": (1, 1), "width": 8},
        "upsampling": "deconvolution",
        "deconvolution_channels": 6,
    },
    "hrnet": {
        "backbone": {"family": "hrnet", "width": 4, "stem_width": 4, "bottlenecks": 1, "modules": (1, 2), "blocks": 1}
    },
}


def small_variant(family: str, changes: Mapping[str, object] | None = None) -> Variant:
    """A small variant of a family with some top-level keys replaced."""
    return Variant.model_validate({**_COMMON, **_FAMILIES[family], **(changes or {})})


def small_encoder(**changes: object) -> dict[str, object]:
    """The small encoder's settings with some keys replaced."""
    return {"layers": 2, "heads": 2, "feedforward": 12, "position_embedding": "sine", **changes}


def small_model(
    family: str, changes: Mapping[str, object] | None = None, seed: int = 0, keypoints: int = KEYPOINTS
) -> TransPose:
    """A small model in evaluation mode with Kaiming-normal weights."""
    model = build_model(small_variant(family, changes), keypoints)
    initialise(model, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(seed))
    return model.eval()


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    """Standard normal numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
