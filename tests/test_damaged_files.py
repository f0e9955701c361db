"""Whatever a file holds, it is read, or refused in one line that names it, and nothing is left behind."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.helpers.damage import Kind, damaged, is_clear, kinds_of, path_of
from transpose.errors import InputError

NAMES = (
    *("annotations", "boxes", "detections", "boxes of an image", "predictions"),
    *(
        "study",
        "values of a study",
        "variant",
        "values of a variant",
        "recipe",
        "data set",
        "run.json",
        "published figures",
        "table of weights",
    ),
    *("images.json", "history", "image .jpg", "image .png", "image .webp"),
    *("image .tiff", "image .bmp", "image .gif"),
    *("safetensors", "checkpoint", "archive", "table of matches"),
)


@pytest.fixture
def kinds(tiny_dataset: Path, tmp_path: Path) -> dict[str, Kind]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return kinds_of(tiny_dataset, scratch)


def files_in(folder: Path) -> set[Path]:
    """All but the remembered digest of an archive, which is right whatever the archive is."""
    return {path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".sha256.json")}


def test_every_kind_is_tried(kinds: dict[str, Kind]) -> None:
    assert sorted(kinds) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_file_is_read(kinds: dict[str, Kind], name: str, tmp_path: Path) -> None:
    path = path_of(name, kinds[name], tmp_path / "whole")
    path.write_bytes(kinds[name].whole)
    kinds[name].read(path)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1))
def test_a_damaged_file_is_read_or_refused_in_one_line(
    kinds: dict[str, Kind], name: str, tmp_path: Path, seed: int
) -> None:
    path = path_of(name, kinds[name], tmp_path / "damaged")
    path.write_bytes(damaged(kinds[name], seed))
    before = files_in(path.parent)
    try:
        kinds[name].read(path)
    except InputError as refusal:
        line = str(refusal)
        assert is_clear(line, path), line
        assert files_in(path.parent) == before
