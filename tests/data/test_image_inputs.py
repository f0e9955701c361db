"""Inputs are files, folders, patterns, names on standard input, one video or one camera."""

from pathlib import Path

import pytest

from transpose.data.image_inputs import images_of, video_of
from transpose.errors import InputError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    for name in ("b.jpg", "a.PNG", "notes.txt", "c[1].jpg", "walk.mp4", "deep/d.jpg", "deep/er/e.webp"):
        (tmp_path / name).touch()
    return tmp_path


def names_of(*inputs: str, names: tuple[str, ...] = ()) -> list[str]:
    return [str(path) for path in images_of(inputs, names)]


def test_files_folders_and_patterns_keep_their_order(folder: Path) -> None:
    assert names_of("b.jpg", "deep", "a.PNG") == ["b.jpg", "deep/d.jpg", "a.PNG"]
    assert names_of(".") == ["a.PNG", "b.jpg", "c[1].jpg"]
    assert names_of("*.jpg") == ["b.jpg", "c[1].jpg"]
    assert names_of("deep/**/*") == ["deep/d.jpg", "deep/er/e.webp"]
    assert names_of(f"{folder}/?.PNG") == [f"{folder}/a.PNG"]


def test_a_file_with_brackets_in_its_name_is_that_file(folder: Path) -> None:
    assert names_of("c[1].jpg") == ["c[1].jpg"]


def test_names_are_read_line_by_line(folder: Path) -> None:
    assert names_of("-", names=("b.jpg\n", "\n", "deep/d.jpg\r\n")) == ["b.jpg", "deep/d.jpg"]


@pytest.mark.parametrize(
    ("inputs", "refusal"),
    [
        (("none.jpg",), "none.jpg: no such image"),
        (("b.jpg", "empty"), r"empty: the folder has no images \(\.bmp, \.jpeg, "),
        (("*.gif",), r"\*\.gif: matches no file"),
        (("-",), "standard input: has no names of images"),
    ],
)
def test_inputs_without_images_are_one_line(folder: Path, inputs: tuple[str, ...], refusal: str) -> None:
    with pytest.raises(InputError, match=refusal):
        names_of(*inputs)


def test_a_video_or_camera_is_alone(folder: Path) -> None:
    assert video_of(["walk.mp4"]) == "walk.mp4"
    assert video_of(["none.MOV"]) == "none.MOV"
    assert video_of(["camera:0"]) == "camera:0"
    assert video_of(["b.jpg", "deep"]) is None
    with pytest.raises(InputError, match=r"walk\.mp4: a video or camera must be the only input"):
        video_of(["b.jpg", "walk.mp4"])
