"""Fixtures that several test modules share."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.helpers.small_disk import SmallDisk
from transpose.cli import main
from transpose.skeleton import COCO_PERSON

Command = Callable[..., subprocess.CompletedProcess[str]]

# Numbers must not depend on the machine's cores, which several processes of tests share.
os.environ["OMP_NUM_THREADS"] = "1"
# Under nohup, SIGHUP is ignored, and our handlers leave it so. Scripts start background commands with SIGINT ignored.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that run whole workflows as slow, and put them first.

    Parallel workers take files in this order; a file of minutes taken last would leave the other workers idle.
    """
    for item in items:
        if {"workflow", "fault_injection"} & set(item.path.parts):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: "workflow" not in item.path.parts)


@pytest.fixture(scope="session")
def reference_dir() -> Path:
    """The folder of golden numbers; TRANSPOSE_REFERENCE_DIR names another one of the same form."""
    return Path(os.environ.get("TRANSPOSE_REFERENCE_DIR", Path(__file__).parent / "reference"))


@pytest.fixture(autouse=True)
def _numbers_of_all_sizes() -> Iterator[None]:
    """Undo what `resolve_device` sets for the process: hypothesis draws numbers that would be zero."""
    yield
    torch.set_flush_denormal(False)


@pytest.fixture(autouse=True)
def _no_tracking_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies of tests must not log to the server of the person who runs them."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(autouse=True)
def _module_search_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what `mlflow.pyfunc.load_model` adds: children would import the part of this package in the model."""
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Run a `transpose` command in this process, since starting one takes seconds. Its log is not in its stderr."""

    def run(*arguments: object, stdin: str = "") -> subprocess.CompletedProcess[str]:
        words = ["transpose", *map(str, arguments)]
        capfd.readouterr()
        monkeypatch.setattr("sys.argv", words)
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        with pytest.raises(SystemExit) as ended:
            main()
        return subprocess.CompletedProcess(words, int(ended.value.code or 0), *capfd.readouterr())

    return run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of 8 MiB of its own, where this machine lets tests mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if shutil.which("mount") is None:
        pytest.skip("this machine has no mount command")
    mounting = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    mounted = subprocess.run(mounting, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def tiny_dataset(tmp_path: Path) -> Path:
    """See `write_tiny_dataset`."""
    return write_tiny_dataset(tmp_path / "tiny")


def write_tiny_dataset(folder: Path) -> Path:
    """A folder with `annotations.json` and `images/`: four images, five persons with v of 0, 1 and 2, one crowd."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(7)
    sizes_hw = {11: (120, 160), 12: (160, 120), 13: (96, 96), 14: (100, 140)}
    images = [
        {"id": image_id, "file_name": f"{image_id:012d}.jpg", "height": height, "width": width}
        for image_id, (height, width) in sizes_hw.items()
    ]
    boxes = {101: (11, [20, 15, 50, 90]), 102: (11, [90, 30, 40, 70]), 103: (12, [-5, 20, 70, 120])}
    boxes |= {104: (13, [30, 10, 40, 80]), 105: (12, [60, 90, 30, 60])}
    persons = [_person(annotation_id, *place, rng) for annotation_id, place in boxes.items()]
    persons[4] |= {"keypoints": [0] * 51, "num_keypoints": 0}
    crowd = persons[4] | {"id": 106, "image_id": 13, "iscrowd": 1, "bbox": [0, 0, 96, 30]}
    content = {
        "images": images,
        "annotations": [*persons, crowd],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_PERSON.keypoints), "skeleton": []}],
    }
    (folder / "annotations.json").write_text(json.dumps(content))
    for image in images:
        drawn = [person for person in persons if person["image_id"] == image["id"]]
        cv2.imwrite(str(folder / "images" / image["file_name"]), _draw(sizes_hw[image["id"]], drawn, rng))
    return folder


def _person(annotation_id: int, image_id: int, box: list[int], rng: np.random.Generator) -> dict[str, object]:
    """A person with keypoints spread over the box."""
    x, y, width, height = box
    visibility = rng.choice([0, 1, 2], size=17, p=[0.2, 0.2, 0.6])
    places = rng.uniform((x, y), (x + width, y + height), size=(17, 2)).round(1)
    keypoints = np.concatenate([places, visibility[:, None]], axis=1) * (visibility > 0)[:, None]
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": 1,
        "bbox": box,
        "area": 0.6 * width * height,
        "iscrowd": 0,
        "keypoints": keypoints.ravel().tolist(),
        "num_keypoints": int((visibility > 0).sum()),
    }


def _draw(size_hw: tuple[int, int], persons: list[dict], rng: np.random.Generator) -> np.ndarray:
    """A smooth background with a disc at each labelled keypoint."""
    image = cv2.resize(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8), size_hw[::-1], interpolation=cv2.INTER_CUBIC)
    for person in persons:
        for x, y, v in np.reshape(person["keypoints"], (-1, 3)):
            if v > 0:
                cv2.circle(image, (round(x), round(y)), 4, (40, 220, 250), -1)
    return image
