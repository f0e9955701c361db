"""The data of a training, and everything that determines its weights."""

from dataclasses import dataclass
from pathlib import Path

from transpose.config.dataset import EvaluationMethod
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.config.training_identity import TrainingIdentity
from transpose.data.file_digests import images_sha256
from transpose.files import sha256_of_file
from transpose.skeleton import Skeleton


@dataclass(frozen=True)
class TrainingData:
    """Annotation files; `data.image_source.image_source_of` finds their images."""

    train: Path
    validation: Path
    skeleton: Skeleton
    evaluation: EvaluationMethod = "oks"
    """Method of the validation: AP or PCKh50 chooses the best weights."""


def identity_of_training(recipe: Recipe, seed: int, data: TrainingData, protocol: EvalProtocol) -> TrainingIdentity:
    """Return everything that determines the weights, with the digests of all input files.

    Raises:
        InputError: a file is missing or cannot be read.
    """
    files = {"train": data.train, "validation": data.validation}
    if recipe.training.backbone_weights is not None:
        files["backbone"] = Path(recipe.training.backbone_weights)
    if recipe.training.initial_weights is not None:
        files["initial"] = Path(recipe.training.initial_weights)
    images = {"train_images": data.train, "validation_images": data.validation}
    return TrainingIdentity(
        recipe=recipe,
        seed=seed,
        files={name: sha256_of_file(path) for name, path in files.items()}
        | {name: images_sha256(path) for name, path in images.items()},
        skeleton=data.skeleton,
        evaluation=data.evaluation,
        protocol=protocol,
    )
