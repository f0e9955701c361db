"""`tools.blazepose_backbone` refuses other files than its wheel in one line."""

import zipfile
from pathlib import Path

import pytest

from tools.blazepose_backbone import MEMBER, convert
from transpose.errors import InputError


@pytest.mark.parametrize(("member", "problem"), [("other.tflite", "not this wheel"), (MEMBER, "not the weights")])
def test_another_wheel_is_refused(tmp_path: Path, member: str, problem: str) -> None:
    with zipfile.ZipFile(tmp_path / "other.whl", "w") as archive:
        archive.writestr(member, b"other")
    with pytest.raises(InputError, match=problem):
        convert(tmp_path / "other.whl", tmp_path / "output.safetensors")
    assert not (tmp_path / "output.safetensors").exists()


@pytest.mark.parametrize("content", [None, b"text"])
def test_what_is_no_wheel_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "file.whl").write_bytes(content)
    with pytest.raises(InputError, match=r"file\.whl: not this wheel"):
        convert(tmp_path / "file.whl", tmp_path / "output.safetensors")
