"""`transpose export`, and what other commands do with exported files."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.exported import small_pose_model
from transpose.data.photographs import photographs_folder
from transpose.export.model import load_exported


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "transpose", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
def test_a_run_is_exported(tmp_path: Path) -> None:
    small_pose_model(tmp_path / "run")
    file = tmp_path / "model.pt2"
    options = ("--format", "torch.export", "--returns", "keypoints", "--output", file)
    done = run("export", "--model", tmp_path / "run", *options)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"wrote {file}\n", "")
    assert load_exported(file).description.returns == "keypoints"


@pytest.mark.parametrize(
    ("command", "refusal"),
    [
        ("export --format onnx --output model.pt", "model.pt: a file of the format onnx ends in .onnx"),
        ("explain PHOTO --model model.onnx --output out", "model.onnx: is an exported file, which only predicts"),
        ("predict PHOTO --model a.onnx --runtime auto", "--runtime: auto: is for models that are not exported yet"),
        ("predict PHOTO --model nowhere.onnx", "nowhere.onnx: no such file"),
    ],
)
def test_refusals_are_one_line(command: str, refusal: str) -> None:
    photo = str(min((photographs_folder() / "images").iterdir()))
    done = run(*(photo if word == "PHOTO" else word for word in command.split()))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"transpose: {refusal}")
    assert len(done.stderr.splitlines()) == 1
