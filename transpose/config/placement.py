"""Where a loaded model computes, if not where its recipe and protocol say."""

from typing import NamedTuple

from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.config.training import DeviceChoice


class Placement(NamedTuple):
    """A device and a number of threads; None leaves them as they are."""

    device: DeviceChoice | None = None
    threads: int | None = None
    """CPU threads."""

    def of_recipe(self, recipe: Recipe) -> Recipe:
        """Return the recipe with this device."""
        if self.device is None:
            return recipe
        return recipe.model_copy(update={"training": recipe.training.model_copy(update={"device": self.device})})

    def of_protocol(self, protocol: EvalProtocol) -> EvalProtocol:
        """Return the protocol with these threads."""
        return protocol if self.threads is None else protocol.model_copy(update={"threads": self.threads})


AS_RECORDED = Placement()
"""Compute where recipe and protocol say."""
