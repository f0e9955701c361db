"""run.json: the origin of a run's weights, and the protocol of its predictions."""

from typing import Annotated

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PlainSerializer,
    PositiveInt,
    model_validator,
)

from transpose.config.base import Settings
from transpose.config.code_version import CodeVersion
from transpose.config.dataset import Accuracy, EvaluationMethod
from transpose.config.download import Sha256
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.config.training_identity import TrainingIdentity
from transpose.skeleton import Skeleton

RecipeOfRun = Annotated[
    Recipe,
    AfterValidator(lambda recipe: Recipe.model_validate(recipe.reproducibility_values())),
    PlainSerializer(lambda recipe: recipe.reproducibility_values()),
]
"""A recipe without settings that only affect the speed of image loading."""


class AnnotationsUsed(Settings):
    """An annotation file that a training read, and its images."""

    annotations: str
    sha256: Sha256
    images_sha256: Sha256 | None = Field(default=None, description="Null in records of older versions.")


class TrainingInputs(Settings):
    """Annotations that a model was trained and validated on."""

    train: AnnotationsUsed
    validation: AnnotationsUsed


class BatchSizes(Settings):
    """Persons per training step."""

    processes: PositiveInt
    per_process: PositiveInt
    all_processes: PositiveInt


class LearningRate(Settings):
    """Learning rate after linear scaling."""

    factor: NonNegativeFloat
    highest: NonNegativeFloat


class TrainingSession(Settings):
    """The last session of a training; the only part that differs between repetitions."""

    seconds: NonNegativeFloat = Field(description="Duration of the last session, since the last resumption.")
    resumed_at_epoch: NonNegativeInt
    checkpoint: str | None = Field(description="Digest of the checkpoint that the outputs were written from.")


class TrainingResult(Settings):
    """Inputs and result of a training."""

    data: TrainingInputs
    persons: NonNegativeInt = Field(description="Persons per epoch.")
    backbone_sha256: Sha256 | None
    initial_weights_sha256: Sha256 | None
    not_from_initial_weights: tuple[str, ...] | None = Field(
        description="Official names of tensors not loaded from the fine-tuned file; null without fine-tuning."
    )
    batch: BatchSizes
    threads: tuple[PositiveInt, ...] = Field(
        default=(),
        description="CPU threads of each process, several if it was resumed with others; empty in records of older"
        " versions, where it is the recipe's number.",
    )
    learning_rate: LearningRate
    metric: Accuracy = Field(description="The validation metric that chose the best epoch.")
    best_value: float
    best_epoch: NonNegativeInt


class ReleasedCheckpoint(Settings):
    """Weights that the authors trained and released."""

    sha256: Sha256 | None = Field(description="Digest of the released checkpoint.")
    converted_sha256: Sha256 = Field(description="Digest of its conversion to safetensors.")


class WeightsWritten(Settings):
    """Digests of the weights that a training wrote."""

    best_sha256: Sha256
    last_sha256: Sha256 | None = Field(description="Null for a released checkpoint.")


class RunRecord(Settings):
    """The content of run.json."""

    recipe: RecipeOfRun
    seed: NonNegativeInt
    skeleton: Skeleton = Field(description="The keypoints that the model predicts.")
    evaluation: EvaluationMethod
    protocol: EvalProtocol = Field(description="Evaluation protocol of the study.")
    initialisation: str = Field(description="Origin of the initial weights, for tables.")
    parameters: NonNegativeInt
    trainable_parameters: NonNegativeInt
    training: TrainingResult | None = Field(description="Null for a released checkpoint.")
    session: TrainingSession | None = Field(description="Null for a released checkpoint.")
    released: ReleasedCheckpoint | None = Field(description="Null for a model that was trained here.")
    identity_sha256: Sha256 | None = Field(
        default=None, description="Digest of everything that determined the weights, when they were written."
    )
    weights: WeightsWritten | None = Field(default=None, description="Null in records of older versions.")
    code: CodeVersion
    environment: dict[str, str]

    @property
    def variant(self) -> str:
        """Name of the variant."""
        return self.recipe.name

    @property
    def title(self) -> str:
        """Name of the variant in tables and figures."""
        return self.recipe.variant.title

    @property
    def threads(self) -> tuple[int, ...]:
        """CPU threads of each process that trained, in order; none for a released checkpoint."""
        if self.training is None:
            return ()
        fixed = self.recipe.training.threads
        return self.training.threads or (() if fixed is None else (fixed,))

    @property
    def identity(self) -> TrainingIdentity | None:
        """Everything that determined the weights; None for a released checkpoint."""
        if self.training is None:
            return None
        train, validation = self.training.data.train, self.training.data.validation
        files = {
            "train": train.sha256,
            "validation": validation.sha256,
            "train_images": train.images_sha256,
            "validation_images": validation.images_sha256,
            "backbone": self.training.backbone_sha256,
            "initial": self.training.initial_weights_sha256,
        }
        return TrainingIdentity(
            recipe=self.recipe,
            seed=self.seed,
            files={name: digest for name, digest in files.items() if digest is not None},
            skeleton=self.skeleton,
            evaluation=self.evaluation,
            protocol=self.protocol,
            threads=self.threads,
        )

    @model_validator(mode="after")
    def _is_trained_or_released(self) -> "RunRecord":
        trained = self.recipe.training.source == "trained"
        given = {"training": self.training, "session": self.session, "released": self.released}
        for key, value in given.items():
            if (value is not None) != (trained != (key == "released")):
                raise ValueError(f"{key} does not match the recipe's source {self.recipe.training.source!r}")
        return self
