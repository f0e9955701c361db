"""Where a loaded model computes."""

from typing import NamedTuple

from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.config.training import DeviceChoice


class Placement(NamedTuple):
    """A device and a number of CPU threads."""

    device: DeviceChoice | None = None
    """None is that of the recipe."""
    threads: int | None = None
    """None are those that the process is given: the number of a study is for its own jobs."""

    def of_recipe(self, recipe: Recipe) -> Recipe:
        """Return the recipe with this device."""
        if self.device is None:
            return recipe
        return recipe.model_copy(update={"training": recipe.training.model_copy(update={"device": self.device})})

    def of_protocol(self, protocol: EvalProtocol) -> EvalProtocol:
        """Return the protocol with these threads."""
        return protocol.model_copy(update={"threads": self.threads})


OF_THIS_PROCESS = Placement()
"""Compute on the recipe's device, with the threads that this process is given."""
