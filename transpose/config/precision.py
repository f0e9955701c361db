"""Arithmetic in which trained networks predict again, beside fp32."""

from typing import Annotated

from pydantic import AfterValidator, Field

from transpose.config.base import Settings
from transpose.config.training import Precision


def _without_fp32(precisions: tuple[Precision, ...]) -> tuple[Precision, ...]:
    if "fp32" in precisions:
        raise ValueError("fp32 is what the others are compared with")
    return tuple(dict.fromkeys(precisions))


class Precisions(Settings):
    """What trained networks are run in once more, and compared with fp32."""

    precisions: Annotated[tuple[Precision, ...], AfterValidator(_without_fp32)] = Field(
        default=("bf16",), min_length=1, description="bf16, or fp16, which needs CUDA."
    )
