"""Settings of the analyses of input sizes and dtypes."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from transpose.config.base import Settings, Size
from transpose.config.training import Dtype
from transpose.config.variant import Variant
from transpose.errors import InputError

PositionChoice = Literal["resampled", "recomputed"]
"""Resampled from the trained grid, bilinearly with aligned corners, or recomputed for the new grid."""

PositionWay = Literal["resampled", "recomputed", "no_embedding"]
"""As `PositionChoice`, or a model without position embedding."""


class InputSizes(Settings):
    """Input sizes at which trained variants are evaluated, in addition to their own."""

    sizes: tuple[Size, ...] = Field(min_length=1, description="Input sizes; a variant's own is skipped.")
    position: tuple[PositionChoice, ...] = Field(
        default=("resampled", "recomputed"),
        min_length=1,
        description="How a sine embedding is adapted to another size; a learnable one can only be resampled.",
    )


def check_sizes(name: str, variant: Variant, settings: InputSizes, source: object) -> None:
    """Refuse sizes and position choices that a variant does not support.

    Raises:
        InputError: a side is not divisible by the backbone's stride, or a learnable embedding would only be recomputed;
            names `source` and `name`.
    """
    stride = variant.backbone.stride
    for height, width in settings.sizes:
        if min(height, width) <= 0 or height % stride or width % stride:
            problem = f"{height}x{width} is not divisible by {stride}, the stride of its backbone"
            raise InputError(problem, file=source, record=name, field="resolutions.sizes")
    learnable = variant.encoder is not None and variant.encoder.position_embedding == "learnable"
    if learnable and "resampled" not in settings.position:
        raise InputError(
            "a learnable embedding can only be resampled", file=source, record=name, field="resolutions.position"
        )


def position_ways(
    variant: Variant, size: tuple[int, int], choices: tuple[PositionChoice, ...]
) -> tuple[PositionWay, ...]:
    """Return the distinct ways to evaluate a trained variant at a size.

    There is none at the trained size, which the main evaluation covers. A learnable embedding cannot be recomputed.
    """
    if size == variant.input_size:
        return ()
    embedding = variant.encoder.position_embedding if variant.encoder is not None else "none"
    if embedding == "none":
        return ("no_embedding",)
    return tuple(way for way in dict.fromkeys(choices) if embedding == "sine" or way == "resampled")


def _without_fp32(dtypes: tuple[Dtype, ...]) -> tuple[Dtype, ...]:
    if "fp32" in dtypes:
        raise ValueError("fp32 is the baseline; list only other dtypes")
    return tuple(dict.fromkeys(dtypes))


class Dtypes(Settings):
    """Dtypes in which trained networks predict, compared with fp32."""

    dtypes: Annotated[tuple[Dtype, ...], AfterValidator(_without_fp32)] = Field(
        default=("bf16",), min_length=1, description="bf16, or tf32 and fp16, which need CUDA."
    )
