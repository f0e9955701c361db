"""Everything that determines the weights of a training, and how two trainings differ."""

from collections.abc import Mapping
from typing import Any

from pydantic import NonNegativeInt

from transpose.config.base import Settings
from transpose.config.dataset import EvaluationMethod
from transpose.config.differences import value_differences
from transpose.config.download import Sha256
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.files import digest_of_value
from transpose.skeleton import Skeleton

WITHOUT_EFFECT: Mapping[str, Any] = {
    "recipe": {
        "variant": {"title": True, "published": True, "released": True},
        # The digests of the weights count, not their paths.
        "training": {"workers": True, "image_cache_gb": True, "backbone_weights": True, "initial_weights": True},
    },
    "skeleton": {"name": True, "limbs": True},
    # The protocol chooses the best epoch; validations use the training's own dtype, threads and batches, in PyTorch.
    "protocol": {"batch_size": True, "threads": True, "dtype": True, "compile": True, "runtime": True},
}
"""Fields that name or draw something, or only affect speed."""


class TrainingIdentity(Settings):
    """Everything that determines the weights, except the code."""

    recipe: Recipe
    seed: NonNegativeInt
    files: Mapping[str, Sha256]
    """SHA-256 of each input file, and of the images of each split, by name."""
    skeleton: Skeleton
    evaluation: EvaluationMethod
    protocol: EvalProtocol

    def differences(self, old: "TrainingIdentity") -> list[str]:
        """Return `recipe.training.sigma was 2.0, is 1.5` for each value that differs.

        A key that `old` was written without has its default. The images of a split count only if both have a digest
        of them.
        """
        images = {f"files.{name}" for name in self.files.keys() ^ old.files.keys() if name.endswith("_images")}
        return value_differences(old._values(), self._values(), but=images)

    @property
    def digest(self) -> str:
        """SHA-256 of the values."""
        return digest_of_value(self._values())

    def _values(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude=dict(WITHOUT_EFFECT))
