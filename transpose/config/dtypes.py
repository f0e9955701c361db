"""Dtypes to compare with fp32."""

from typing import Annotated

from pydantic import AfterValidator, Field

from transpose.config.base import Settings
from transpose.config.training import Dtype


def _without_fp32(dtypes: tuple[Dtype, ...]) -> tuple[Dtype, ...]:
    if "fp32" in dtypes:
        raise ValueError("fp32 is the baseline; list only other dtypes")
    return tuple(dict.fromkeys(dtypes))


class Dtypes(Settings):
    """Dtypes in which trained networks predict, compared with fp32."""

    dtypes: Annotated[tuple[Dtype, ...], AfterValidator(_without_fp32)] = Field(
        default=("bf16",), min_length=1, description="bf16, or fp16, which needs CUDA."
    )
