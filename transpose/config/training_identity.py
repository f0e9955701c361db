"""Everything that determines the weights of a training, and how two trainings differ."""

from collections.abc import Mapping
from typing import Any

from pydantic import NonNegativeInt, PositiveInt

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
    # Compared as the recipe's number of threads.
    "threads": True,
}
"""Fields that name or draw something, or only affect speed."""

_THREADS = "recipe.training.threads"


class TrainingIdentity(Settings):
    """Everything that determines the weights, except the code."""

    recipe: Recipe
    seed: NonNegativeInt
    files: Mapping[str, Sha256]
    """SHA-256 of each input file, and of the images of each split, by name."""
    skeleton: Skeleton
    evaluation: EvaluationMethod
    protocol: EvalProtocol
    threads: tuple[PositiveInt, ...] = ()
    """CPU threads of each process that have been used, in order; none before the training begins."""

    def differences(self, old: "TrainingIdentity") -> list[str]:
        """Return `recipe.training.sigma was 2.0, is 1.5` for each value that differs.

        A key that `old` was written without has its default. The images of a split count only if both have a digest
        of them. The threads that `old` has used count only if this recipe has a number of them.
        """
        free = {f"files.{name}" for name in self.files.keys() ^ old.files.keys() if name.endswith("_images")}
        if self.recipe.training.threads is None:
            free.add(_THREADS)
        return value_differences(old._values_as_used(), self._values(), but=free)

    @property
    def digest(self) -> str:
        """SHA-256 of the values."""
        return digest_of_value(self._values())

    def _values(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude=dict(WITHOUT_EFFECT))

    def _values_as_used(self) -> dict[str, Any]:
        """Return the values with the threads that have been used."""
        values, used = self._values(), self.threads
        if used:
            values["recipe"]["training"]["threads"] = used[0] if len(set(used)) == 1 else list(used)
        return values
