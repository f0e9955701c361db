"""What every file of measures of attention is about: a trained variant, persons, and how they are measured."""

from dataclasses import dataclass
from pathlib import Path

from transpose.attention.dependency import encoder_of
from transpose.attention.grid import Grid
from transpose.compute import Compute
from transpose.config.attention import AttentionMeasures
from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import Protocol
from transpose.config.training import Precision
from transpose.data.coco import CocoAnnotations, load_annotations
from transpose.evaluation.pipeline import load_model
from transpose.evaluation.report import Bootstrap, Subject, weights_beside
from transpose.models.transpose import TransPose
from transpose.skeleton import Skeleton


@dataclass(frozen=True)
class ModelOnTrial:
    """A loaded model with what its predictions are read by."""

    model: TransPose
    """In evaluation mode."""
    grid: Grid
    skeleton: Skeleton
    protocol: Protocol
    compute: Compute


@dataclass(frozen=True)
class Examination:
    """A trained variant whose attention is measured, on which annotated persons, how, and where the answer goes."""

    recipe: Recipe
    run: Path
    """run.json of the training, its weights.safetensors beside it."""
    dataset: Dataset
    annotations: Path
    boxes: Path
    protocol: Protocol
    settings: AttentionMeasures
    bootstrap: Bootstrap
    output: Path
    """At .../DATASET/SPLIT/BOXES.json; the last three parts name what is evaluated."""

    @property
    def weights(self) -> Path:
        """Weights of the variant."""
        return weights_beside(self.run)

    def subject(self) -> Subject:
        """What the report is about.

        Raises:
            InputError: a file is missing or wrong, or the variant has no encoder.
        """
        encoder_of(self.recipe.variant)
        return Subject.of_files(self.dataset, self.annotations, self.run, self.boxes, self.output)

    def truth(self) -> CocoAnnotations:
        """The annotations.

        Raises:
            InputError: the file is missing or wrong.
        """
        return load_annotations(self.annotations, self.dataset.skeleton)

    def model(self, precision: Precision | None = "fp32") -> ModelOnTrial:
        """The trained model; measures are taken in fp32, and an ablation that ends in AP as the recipe evaluates.

        Raises:
            InputError: the weights are missing or do not fit.
        """
        skeleton = self.dataset.skeleton
        model, compute = load_model(self.recipe, self.weights, skeleton, self.protocol, precision)
        return ModelOnTrial(model, Grid.of(self.recipe.variant), skeleton, self.protocol, compute)
