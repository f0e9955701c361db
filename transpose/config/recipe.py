"""A recipe: all settings that determine the weights of one variant, except seed and data."""

from typing import Any

from transpose.config.base import Name, Settings, parse
from transpose.config.training import Training
from transpose.config.variant import Variant


class Recipe(Settings):
    """A variant and its training settings, resolved from the study and recorded with the weights."""

    name: Name
    variant: Variant
    training: Training

    def reproducibility_values(self) -> dict[str, Any]:
        """Return the recipe as JSON values, without settings that only affect the speed of image loading."""
        return self.model_dump(mode="json", exclude={"training": {"workers", "image_cache_gb"}})

    def with_loader_settings(self, workers: int | None = None, image_cache_gb: float | None = None) -> "Recipe":
        """Return the recipe with other settings of image loading; None keeps a value.

        Raises:
            InputError: a value is wrong.
        """
        given = {"workers": workers, "image_cache_gb": image_cache_gb}
        chosen = {name: value for name, value in given.items() if value is not None}
        training = parse(Training, self.training.model_dump() | chosen, "the recipe's training")
        return self.model_copy(update={"training": training})
