"""A recipe: everything that decides the weights of one variant, apart from seed and data."""

from typing import Any

from transpose.config.base import Name, Settings, parse
from transpose.config.training import Training
from transpose.config.variant import Variant


class Recipe(Settings):
    """A variant and how it is trained, resolved from the study: the record that stands beside the weights."""

    name: Name
    variant: Variant
    training: Training

    def reproducibility_values(self) -> dict[str, Any]:
        """As JSON values, without what only decides how fast images come: the record that results depend on."""
        return self.model_dump(mode="json", exclude={"training": {"workers", "image_cache_gb"}})

    def with_loader_settings(self, workers: int | None = None, image_cache_gb: float | None = None) -> "Recipe":
        """The same recipe, with other ways to load images where they are not None.

        Raises:
            InputError: such a value is wrong.
        """
        given = {"workers": workers, "image_cache_gb": image_cache_gb}
        chosen = {name: value for name, value in given.items() if value is not None}
        training = parse(Training, self.training.model_dump() | chosen, "the recipe's training")
        return self.model_copy(update={"training": training})
