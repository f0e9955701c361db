"""Training and validation data of a training."""

from dataclasses import dataclass
from pathlib import Path

from transpose.config.dataset import EvaluationMethod
from transpose.skeleton import Skeleton


@dataclass(frozen=True)
class TrainingData:
    """Annotation files; `data.image_source.image_source_of` finds their images."""

    train: Path
    validation: Path
    skeleton: Skeleton
    evaluation: EvaluationMethod = "oks"
    """Method of the validation: AP or PCKh50 chooses the best weights."""
