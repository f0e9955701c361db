"""Which arithmetic may stand beside fp32."""

import pytest

from transpose.config.base import parse
from transpose.config.precision import Precisions
from transpose.errors import InputError


def test_each_is_taken_once() -> None:
    assert Precisions.model_validate({"precisions": ["fp16", "bf16", "fp16"]}).precisions == ("fp16", "bf16")


@pytest.mark.parametrize(
    ("precisions", "words"),
    [
        (["bf16", "fp32"], "study: precisions: fp32 is what the others are compared with"),
        (["fp8"], "study: precisions.0: Input should be 'fp32', 'bf16' or 'fp16', not 'fp8'"),
        ([], "study: precisions: Tuple should have at least 1 item"),
    ],
)
def test_others_are_refused(precisions: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse(Precisions, {"precisions": precisions}, "study")
