"""Input sizes that a variant was not trained at, and what becomes of its position embedding there."""

from typing import Literal

from pydantic import Field

from transpose.config.base import Settings, Size
from transpose.config.variant import Variant
from transpose.errors import InputError

PositionChoice = Literal["resampled", "recomputed"]
"""Carried over from the grid trained at, bilinearly and with corners aligned, or computed anew for the grid."""

PositionWay = Literal["resampled", "recomputed", "no_embedding"]
"""As `PositionChoice`; without an embedding there is but one way."""


class InputSizes(Settings):
    """At which inputs trained variants are evaluated beside their own, and how."""

    sizes: tuple[Size, ...] = Field(min_length=1, description="Input sizes; a variant's own is passed over.")
    position: tuple[PositionChoice, ...] = Field(
        default=("resampled", "recomputed"),
        min_length=1,
        description="What becomes of a sine embedding at another size; a learnable one can only be resampled.",
    )


def check_sizes(name: str, variant: Variant, settings: InputSizes, source: object) -> None:
    """Refuse sizes and ways that a variant cannot take.

    Raises:
        InputError: a side is not divisible by the backbone's stride, or a learnable embedding would be recomputed only;
            `source` and `name` are named.
    """
    stride = variant.backbone.stride
    for height, width in settings.sizes:
        if min(height, width) <= 0 or height % stride or width % stride:
            problem = f"{height}x{width} is not divisible by {stride}, the stride of its backbone"
            raise InputError(source, name, "resolutions.sizes", problem)
    learnable = variant.encoder is not None and variant.encoder.position_embedding == "learnable"
    if learnable and "resampled" not in settings.position:
        raise InputError(source, name, "resolutions.position", "a learnable embedding can only be resampled")


def position_ways(
    variant: Variant, size: tuple[int, int], choices: tuple[PositionChoice, ...]
) -> tuple[PositionWay, ...]:
    """The ways to evaluate a trained variant at a size that give results of their own.

    None at the size trained at, whose result is the ordinary evaluation's; a learnable embedding cannot be recomputed.
    """
    if size == variant.input_size:
        return ()
    embedding = variant.encoder.position_embedding if variant.encoder is not None else "none"
    if embedding == "none":
        return ("no_embedding",)
    return tuple(way for way in dict.fromkeys(choices) if embedding == "sine" or way == "resampled")
