"""run.json: how a run's weights came about, and how predictions are made with them."""

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
from transpose.config.dataset import Accuracy, EvaluationMethod
from transpose.config.download import Sha256
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.skeleton import Skeleton

RecipeOfRun = Annotated[
    Recipe,
    AfterValidator(lambda recipe: Recipe.model_validate(recipe.reproducibility_values())),
    PlainSerializer(lambda recipe: recipe.reproducibility_values()),
]
"""A recipe without what only decides how fast images load."""


class AnnotationsUsed(Settings):
    """An annotation file that a training read."""

    annotations: str
    sha256: Sha256


class TrainingFiles(Settings):
    """Annotations that a model was trained and validated on."""

    train: AnnotationsUsed
    validation: AnnotationsUsed


class BatchSizes(Settings):
    """Instances of a training step."""

    processes: PositiveInt
    per_process: PositiveInt
    all_processes: PositiveInt


class LearningRate(Settings):
    """What linear scaling made of the schedule."""

    factor: NonNegativeFloat
    highest: NonNegativeFloat


class TrainingSession(Settings):
    """What two runs of one training differ in."""

    seconds: NonNegativeFloat = Field(description="Duration of the last session, which an interruption cuts short.")
    resumed_at_epoch: NonNegativeInt
    checkpoint: str | None = Field(description="Digest of the checkpoint that the outputs were written from.")


class TrainingResult(Settings):
    """What a training started from and reached."""

    data: TrainingFiles
    persons: NonNegativeInt = Field(description="Instances of an epoch.")
    backbone_sha256: Sha256 | None
    initial_weights_sha256: Sha256 | None
    not_from_initial_weights: tuple[str, ...] | None = Field(
        description="Official names of tensors that fine-tuning did not take from its file; null without fine-tuning."
    )
    batch: BatchSizes
    learning_rate: LearningRate
    metric: Accuracy = Field(description="The validation figure that chose the best epoch.")
    best_value: float
    best_epoch: NonNegativeInt


class ReleasedCheckpoint(Settings):
    """Weights that others trained and released."""

    sha256: Sha256 | None = Field(description="Of the checkpoint as it was released.")
    converted_sha256: Sha256 = Field(description="Of its conversion to safetensors.")


class CodeVersion(Settings):
    """The code that made the weights."""

    git: str | None
    dirty: bool | None
    fingerprint: str


class RunRecord(Settings):
    """The content of run.json."""

    recipe: RecipeOfRun
    seed: NonNegativeInt
    skeleton: Skeleton = Field(description="The keypoints that the model predicts.")
    evaluation: EvaluationMethod
    protocol: EvalProtocol = Field(description="How the study makes predictions with the model.")
    initialisation: str = Field(description="Where the first weights came from, as tables print it.")
    parameters: NonNegativeInt
    trainable_parameters: NonNegativeInt
    training: TrainingResult | None = Field(description="Null for a released checkpoint.")
    session: TrainingSession | None = Field(description="Null for a released checkpoint.")
    released: ReleasedCheckpoint | None = Field(description="Null for a model that was trained here.")
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

    @model_validator(mode="after")
    def _is_trained_or_released(self) -> "RunRecord":
        trained = self.recipe.training.source == "trained"
        given = {"training": self.training, "session": self.session, "released": self.released}
        for key, value in given.items():
            if (value is not None) != (trained != (key == "released")):
                raise ValueError(f"{key} does not go with the recipe's source {self.recipe.training.source!r}")
        return self
