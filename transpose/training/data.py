"""What a training is given to learn from and to be judged on."""

from dataclasses import dataclass
from pathlib import Path

from transpose.config.dataset import EvaluationMethod
from transpose.skeleton import Skeleton


@dataclass(frozen=True)
class TrainingData:
    """Annotation files, each with its images where `data.image_source.image_source_of` finds them."""

    train: Path
    validation: Path
    skeleton: Skeleton
    evaluation: EvaluationMethod = "oks"
    """How validation judges the model: AP or PCKh50 chooses the best weights."""
