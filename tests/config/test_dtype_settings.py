"""Dtypes that can be compared with fp32."""

import pytest

from transpose.config.base import parse
from transpose.config.dtypes import Dtypes
from transpose.errors import InputError


def test_each_is_taken_once() -> None:
    assert Dtypes.model_validate({"dtypes": ["fp16", "bf16", "fp16"]}).dtypes == ("fp16", "bf16")


@pytest.mark.parametrize(
    ("dtypes", "words"),
    [
        (["bf16", "fp32"], "study: dtypes: fp32 is the baseline; list only other dtypes"),
        (["fp8"], "study: dtypes.0: Input should be 'fp32', 'bf16' or 'fp16', not 'fp8'"),
        ([], "study: dtypes: Tuple should have at least 1 item"),
    ],
)
def test_others_are_refused(dtypes: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse(Dtypes, {"dtypes": dtypes}, "study")
