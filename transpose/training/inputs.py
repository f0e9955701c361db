"""What a training starts from: its data, its first weights, and everything that determines the result."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transpose.config.dataset import EvaluationMethod
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.data.coco import load_annotations
from transpose.data.image_source import image_source_of
from transpose.data.loader import TrainingSamples
from transpose.files import sha256_of_file
from transpose.models.initialise import initialise, renew_final_layer
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.models.weights import load_backbone, load_to_fine_tune, load_weights, read_metadata
from transpose.skeleton import Skeleton

KEYPOINTS = "keypoints"
"""Metadata of weights to fine-tune that also start the last layer, if it is for exactly these keypoints."""


@dataclass(frozen=True)
class TrainingData:
    """Annotation files; `data.image_source.image_source_of` finds their images."""

    train: Path
    validation: Path
    skeleton: Skeleton
    evaluation: EvaluationMethod = "oks"
    """Method of the validation: AP or PCKh50 chooses the best weights."""


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
    model = build_model(recipe.variant, len(skeleton), training.dropout, training.attention_dropout)
    initialise(model, training.initialisation, pretrained_backbone=training.backbone_weights is not None)
    if training.initial_weights is not None:
        path = Path(training.initial_weights)
        if read_metadata(path).get(KEYPOINTS) == keypoint_names(skeleton):
            load_weights(model, path)
            return model, FirstWeights(f"fine-tuned from {_described(path)}", ())
        renew_final_layer(model)
        new_tensors = load_to_fine_tune(model, path)
        return model, FirstWeights(f"fine-tuned from {_described(path)}", tuple(new_tensors))
    if training.backbone_weights is not None:
        path = Path(training.backbone_weights)
        load_backbone(model, path)
        return model, FirstWeights(f"backbone {_described(path)}")
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


def input_digests(recipe: Recipe, data: TrainingData) -> dict[str, str]:
    """Return the SHA-256 of every input file that determines the weights."""
    files = {"train": data.train, "validation": data.validation}
    if recipe.training.backbone_weights is not None:
        files["backbone"] = Path(recipe.training.backbone_weights)
    if recipe.training.initial_weights is not None:
        files["initial"] = Path(recipe.training.initial_weights)
    return {name: sha256_of_file(path) for name, path in files.items()}


def identity_of_training(
    recipe: Recipe, seed: int, data: TrainingData, protocol: EvalProtocol, digests: dict[str, str]
) -> dict[str, Any]:
    """Return everything that determines the weights, as JSON values by name."""
    return {
        "recipe": recipe.reproducibility_values(),
        "seed": seed,
        "files": digests,
        "skeleton": data.skeleton.model_dump(mode="json"),
        # These choose the best epoch. Validations use the training's own dtype, threads and batches.
        "evaluation": data.evaluation,
        "protocol": protocol.model_dump(mode="json", exclude={"batch_size", "threads", "dtype", "compile"}),
    }


def keypoint_names(skeleton: Skeleton) -> str:
    """Return the keypoints as the text under `KEYPOINTS`."""
    return ",".join(skeleton.keypoints)


def _described(weights: Path) -> str:
    metadata = read_metadata(weights)
    # Files of all trainings have the same name; their metadata identify them.
    trained = f"{metadata['variant']}, seed {metadata['seed']}" if {"variant", "seed"} <= metadata.keys() else None
    return metadata.get("description") or trained or weights.name
