"""The weights that a training starts from."""

from dataclasses import dataclass
from pathlib import Path

from transpose.config.recipe import Recipe
from transpose.models.initialise import initialise, renew_final_layer
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.models.weights import load_backbone, load_to_fine_tune, read_metadata
from transpose.skeleton import Skeleton


@dataclass(frozen=True)
class FirstWeights:
    """Where a model's first weights come from."""

    description: str
    """As tables print it."""
    new_tensors: tuple[str, ...] | None = None
    """Official names of what fine-tuning did not take from its file; None without fine-tuning."""


def first_model(recipe: Recipe, skeleton: Skeleton) -> tuple[TransPose, FirstWeights]:
    """A recipe's model before its first step, and where its weights come from.

    Raises:
        InputError: a file of weights is missing or does not fit.
    """
    training = recipe.training
    model = build_model(recipe.variant, len(skeleton), training.dropout, training.attention_dropout)
    initialise(model, training.initialisation, pretrained_backbone=training.backbone_weights is not None)
    if training.initial_weights is not None:
        path = Path(training.initial_weights)
        renew_final_layer(model)
        new_tensors = load_to_fine_tune(model, path)
        return model, FirstWeights(f"fine-tuned from {_described(path)}", tuple(new_tensors))
    if training.backbone_weights is not None:
        path = Path(training.backbone_weights)
        load_backbone(model, path)
        return model, FirstWeights(f"backbone {_described(path)}")
    return model, FirstWeights("from scratch")


def _described(weights: Path) -> str:
    metadata = read_metadata(weights) if weights.suffix == ".safetensors" else {}
    # Trainings name all their files alike, and what they hold.
    trained = f"{metadata['variant']}, seed {metadata['seed']}" if {"variant", "seed"} <= metadata.keys() else None
    return metadata.get("description") or trained or weights.name
