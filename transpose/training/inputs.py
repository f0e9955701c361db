"""What a training starts from: its first weights and its samples."""

from dataclasses import dataclass
from pathlib import Path

from transpose.config.recipe import Recipe
from transpose.data.coco import load_annotations
from transpose.data.image_source import image_source_of
from transpose.data.loader import TrainingSamples
from transpose.models.initialise import initialise, renew_final_layer
from transpose.models.transpose import TransPose
from transpose.models.variants import build_to_train
from transpose.models.weights import load_backbone, load_to_fine_tune, read_metadata
from transpose.skeleton import Skeleton
from transpose.training.data import TrainingData


@dataclass(frozen=True)
class FirstWeights:
    """Origin of a model's initial weights."""

    description: str
    """Text for tables."""
    new_tensors: tuple[str, ...] | None = None
    """Official names of tensors that were not loaded from the fine-tuned file; None without fine-tuning."""


def first_model(recipe: Recipe, skeleton: Skeleton) -> tuple[TransPose, FirstWeights]:
    """Build a recipe's model with its initial weights, and describe their origin.

    Raises:
        InputError: a weights file is missing or does not fit.
    """
    training = recipe.training
    model = build_to_train(recipe, len(skeleton))
    initialise(model, training.initialisation, pretrained_backbone=training.backbone_weights is not None)
    if training.initial_weights is not None:
        path = Path(training.initial_weights)
        renew_final_layer(model)
        new_tensors = load_to_fine_tune(model, path, skeleton.keypoints)
        renewed = ", with a new last layer" if "final_layer.weight" in new_tensors else ""
        frozen = ", with a frozen backbone" if training.freeze_backbone else ""
        return model, FirstWeights(f"fine-tuned from {_described(path)}{renewed}{frozen}", tuple(new_tensors))
    if training.backbone_weights is not None:
        path = Path(training.backbone_weights)
        load_backbone(model, path)
        frozen = "frozen " if training.freeze_backbone else ""
        return model, FirstWeights(f"{frozen}backbone {_described(path)}")
    return model, FirstWeights("from scratch")


def training_samples(recipe: Recipe, seed: int, data: TrainingData) -> TrainingSamples:
    """Return the samples to train on.

    Raises:
        InputError: the annotations are missing or wrong.
    """
    return TrainingSamples(
        load_annotations(data.train, data.skeleton),
        image_source_of(data.train),
        data.skeleton,
        recipe.variant.input_size,
        recipe.variant.heatmap_size,
        recipe.training.augmentation,
        seed,
        disk_bytes=int(recipe.training.image_cache_gb * 1e9),
    )


def _described(weights: Path) -> str:
    metadata = read_metadata(weights)
    # Files of all trainings have the same name; their metadata identify them.
    trained = f"{metadata['variant']}, seed {metadata['seed']}" if {"variant", "seed"} <= metadata.keys() else None
    return metadata.get("description") or trained or weights.name
