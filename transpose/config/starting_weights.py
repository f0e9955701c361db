"""Starting weights of a training: those of a pretrained backbone, of a whole model, or none."""

from collections.abc import Mapping
from typing import Any

STARTING_WEIGHTS = ("backbone_weights", "initial_weights")
"""Keys that exclude each other."""


def check_one_start(backbone_weights: str | None, initial_weights: str | None) -> None:
    """Refuse two kinds of starting weights.

    Raises:
        ValueError: both are set.
    """
    if initial_weights is not None and backbone_weights is not None:
        raise ValueError("initial_weights are those of a whole model; set backbone_weights to null")


def without_replaced_weights(general: Mapping[str, Any], specific: Mapping[str, Any]) -> dict[str, Any]:
    """Return `general`, without its starting weights if `specific` sets a path of either kind."""
    replaced = STARTING_WEIGHTS if any(specific.get(key) is not None for key in STARTING_WEIGHTS) else ()
    return {key: value for key, value in general.items() if key not in replaced}
