"""`transpose predict` on images, names, folders and videos, and one clear line for every wrong input."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.conftest import Command
from tests.data.onnx_detectors import write_head_model
from tests.data.test_video import write_cut_video
from transpose.data.images import read_image
from transpose.data.photographs import photographs_folder
from transpose.data.video import Video, video_writer

PHOTOGRAPH = photographs_folder() / "images" / "000000214753.jpg"
RIDER = "360.3,114.8,57.2,134.8"
BOX = [360.3, 114.8, 57.2, 134.8]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(command: Command) -> Run:
    """Run `transpose predict`; returns its status, stdout and stderr."""

    def predict(*arguments: object, stdin: str = "") -> tuple[int, str, str]:
        done = command("predict", *arguments, stdin=stdin)
        return done.returncode, done.stdout, done.stderr

    return predict


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two photographs and a text."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name in ("rider.jpg", "rider2.jpg"):
        shutil.copy(PHOTOGRAPH, folder / name)
    (folder / "notes.txt").write_text("no image")
    return folder


@pytest.mark.parametrize("given", ["{folder}", "{folder}/*.jpg", "-"])
def test_folders_patterns_and_names_are_images(run: Run, folder: Path, tmp_path: Path, given: str) -> None:
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([{"image_id": "rider", "category_id": 1, "bbox": BOX}]))
    names = f"{folder}/rider.jpg\n{folder}/rider2.jpg\n"
    output = ("--output", tmp_path / "out")
    status, out, err = run(given.format(folder=folder), "--boxes", boxes, *output, stdin=names)
    assert status == 0, err
    heading, row = out.splitlines()
    assert heading.split() == ["image", "person", "box", "score", "keypoints"]
    assert row.startswith("rider.jpg   0       360.3, 114.8, 57.2, 134.8")
    # No progress, since this is no terminal.
    assert err.splitlines() == [
        f"1 of 2 images have no person in {boxes}.",
        "Keypoints scored below 0.2 are left out.",
    ]
    assert sorted(path.name for path in (tmp_path / "out" / "overlays").iterdir()) == ["rider.png", "rider2.png"]
    assert len((tmp_path / "out" / "keypoints.csv").read_text().splitlines()) == 1 + 17


def test_whole_images_are_reported_unless_wanted(run: Run, folder: Path) -> None:
    status, out, err = run(folder)
    assert status == 0, err
    assert "the whole 2 images were each taken as one box" in err
    assert out.count("person 0") == 2
    assert "whole" not in run(folder, "--whole-image")[2]


def test_a_detector_finds_the_persons(run: Run, folder: Path, tmp_path: Path) -> None:
    write_head_model(tmp_path / "red.onnx", (64, 96))
    cv2.imwrite(str(folder / "rider.jpg"), np.full((128, 192, 3), (0, 0, 255), dtype=np.uint8))
    status, out, err = run(folder / "rider.jpg", "--detector", tmp_path / "red.onnx", "--output", tmp_path / "out")
    assert status == 0, err
    assert len(out.splitlines()) > 2
    assert "whole" not in err
    assert run(folder / "rider.jpg", "--detector", tmp_path / "red.onnx", "--min-box-score", "0.6")[1] == ""


def test_a_detector_without_onnxruntime_names_the_extra(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    (tmp_path / "red.onnx").write_bytes(b"a model")
    status, _, err = run(folder / "rider.jpg", "--detector", tmp_path / "red.onnx")
    assert status == 1
    assert err.startswith(
        "transpose: this needs onnxruntime, which is not installed: pip install 'transpose-pipeline[detector]'"
    )


def test_a_video_becomes_an_overlaid_video(run: Run, tmp_path: Path) -> None:
    image = read_image(PHOTOGRAPH)[:, 200:520]
    with video_writer(tmp_path / "ride.mp4", 25.0) as writer:
        for frame in range(6):
            writer.add(np.roll(image, -3 * frame, axis=1))
    box = "--box", "160.3,114.8,57.2,134.8"
    status, out, err = run(tmp_path / "ride.mp4", *box, "--smooth", "--output", tmp_path / "out")
    assert status == 0, err
    assert out == f"{tmp_path}/ride.mp4: 6 frames, 1 persons\n"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"predictions.json", "keypoints.csv", "ride.mp4"}
    records = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [(record["image_id"], record["track_id"]) for record in records] == [(frame, 1) for frame in range(6)]
    before, after = (list(Video(str(path / "ride.mp4")).frames()) for path in (tmp_path, tmp_path / "out"))
    assert len(after) == 6
    assert all((np.abs(a.astype(int) - b) > 60).any() for a, b in zip(before, after, strict=True))
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([{"image_id": 4, "category_id": 1, "bbox": [148.3, 114.8, 57.2, 134.8]}]))
    status, out, err = run(tmp_path / "ride.mp4", "--boxes", boxes)
    assert [line.split()[:3] for line in out.splitlines()[1:-1]] == [["frame", "4", "1"]]
    status, out, err = run(tmp_path / "ride.mp4")
    assert [line.split()[:3] for line in out.splitlines()[1:-1]] == [["frame", str(i), "1"] for i in range(6)]
    assert "the whole image was taken as one person's box" in err


class TestBadInput:
    """Each is one line, and nothing is written."""

    @pytest.mark.parametrize(
        ("arguments", "line"),
        [
            (["text.jpg"], "text.jpg: not an image that can be decoded"),
            (["none.jpg"], "none.jpg: no such image"),
            (["large.png"], "large.png: has 20000x10000 pixels, more than 178,956,970: make it smaller"),
            (
                ["rider.jpg", "--box", "900,0,10,10"],
                "rider.jpg: box 900,0,10,10: is outside the image, which is 640x424",
            ),
            (["rider.jpg", "text.jpg", "--whole-image"], "text.jpg: not an image that can be decoded"),
            (["empty"], "empty: the folder has no images (.bmp, .jpeg, .jpg, .png, .tif, .tiff, .webp)"),
            (["*.gif"], "*.gif: matches no file"),
            (["-"], "standard input: has no names of images"),
            (["camera:99"], "camera:99: the camera cannot be opened"),
            (["none.mp4"], "none.mp4: no such video"),
            (["cut.avi"], "cut.avi: ends early, after "),
            (["text.mp4"], "text.mp4: not a video that can be read, or incomplete"),
            (["rider.jpg", "cut.avi"], "cut.avi: a video or camera must be the only input"),
            (
                ["cut.avi", "--box", "900,0,10,10"],
                "cut.avi, frame 0: box 900,0,10,10: is outside the image, which is 64x48",
            ),
            (["rider.jpg", "--detect-every", "2"], "--detect-every: is for a video"),
            (["rider.jpg", "--smooth"], "--smooth: is for a video"),
            (["rider.jpg", "--whole-image", "--box", "1,2,3,4"], "--whole-image: cannot be combined with --box"),
            (["rider.jpg", "--detector", "none.onnx"], "none.onnx: no such file"),
            (["rider.jpg", "--detector", "text.jpg"], "text.jpg: onnxruntime cannot load it: "),
            (["rider.jpg", "--model", "empty"], "empty/run.json: no such file"),
            (["rider.jpg", "--min-score", "nan"], "--min-score: nan: must be a number"),
        ],
    )
    def test_it_is_one_line(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], line: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        shutil.copy(PHOTOGRAPH, "rider.jpg")
        Path("empty").mkdir()
        for name in ("text.jpg", "text.mp4"):
            Path(name).write_text("no image")
        if "large.png" in arguments:
            Image.new("1", (20_000, 10_000)).save("large.png")
        if "cut.avi" in arguments:
            write_cut_video(Path("cut.avi"))
        status, _, err = run(*arguments, "--output", "out")
        (written,) = err.splitlines()
        assert status == 1
        assert written.startswith(f"transpose: {line}")
        assert not Path("out").exists()
