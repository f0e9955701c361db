"""Export trained backbones as pretrained weights for other variants."""

from pathlib import Path

from transpose.config.variant import Variant
from transpose.errors import InputError
from transpose.models.variants import build_model
from transpose.models.weights import load_official, read_checkpoint, save_backbone


def export_backbone(variant: Variant, weights: Path, description: str, output: Path) -> None:
    """Write the backbone of a trained variant as pretrained weights, with a description for the tables.

    Raises:
        InputError: the weights cannot be read or do not fit the variant.
    """
    state = read_checkpoint(weights)
    if "final_layer.bias" not in state:
        raise InputError(weights, None, "final_layer.bias", "missing; these are not the weights of a whole model")
    model = build_model(variant, keypoints=state["final_layer.bias"].numel())
    load_official(model, state, weights)
    save_backbone(model, output, {"description": description})
