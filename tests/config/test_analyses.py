"""Input sizes and dtypes of analyses."""

import pytest

from tests.helpers.small_variants import small_encoder, small_variant
from transpose.config.analyses import Dtypes, InputSizes, check_sizes
from transpose.config.base import parse
from transpose.errors import InputError

STUDY = {
    "name": "toy",
    "variants": ["a", "b"],
    "train": {"dataset": "toy", "split": "train"},
    "validation": {"dataset": "toy", "split": "val"},
    "evaluations": [{"dataset": "toy", "split": "val", "boxes": ["annotated"]}],
}


def test_sizes_that_the_stride_divides_are_taken() -> None:
    check_sizes("small", small_variant("resnet"), InputSizes(sizes=((64, 48), (8, 8))), "study")


@pytest.mark.parametrize("size", [(60, 48), (64, 44), (0, 8)])
def test_other_sizes_are_named(size: tuple[int, int]) -> None:
    words = f"study: small: resolutions.sizes: {size[0]}x{size[1]} is not divisible by 8"
    with pytest.raises(InputError, match=words):
        check_sizes("small", small_variant("resnet"), InputSizes(sizes=(size,)), "study")


def test_a_learnable_embedding_cannot_only_be_recomputed() -> None:
    learnable = small_variant("resnet", {"encoder": small_encoder(position_embedding="learnable")})
    with pytest.raises(InputError, match="a learnable embedding can only be resampled"):
        check_sizes("small", learnable, InputSizes(sizes=((64, 48),), position=("recomputed",)), "study")


def test_each_dtype_is_taken_once() -> None:
    assert Dtypes.model_validate({"dtypes": ["fp16", "bf16", "fp16"]}).dtypes == ("fp16", "bf16")


@pytest.mark.parametrize(
    ("dtypes", "words"),
    [
        (["bf16", "fp32"], "study: dtypes: fp32 is the baseline; list only other dtypes"),
        (["fp8"], "study: dtypes.0: Input should be 'fp32', 'tf32', 'bf16' or 'fp16', not 'fp8'"),
        ([], "study: dtypes: Tuple should have at least 1 item"),
    ],
)
def test_other_dtypes_are_refused(dtypes: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse(Dtypes, {"dtypes": dtypes}, "study")
