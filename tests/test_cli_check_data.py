"""`transpose check-data`: text, JSON, contact sheet, and the exit status."""

import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
import yaml

from tests.helpers.torso_data import Content, torso_dataset, torso_folder


def check_data(dataset: object, *options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "transpose", "check-data", *map(str, (dataset, *options))]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def write_dataset(path: Path, folder: Path) -> Path:
    path.write_text(yaml.safe_dump(torso_dataset(folder).model_dump(mode="json")))
    return path


def area_one(content: Content) -> None:
    for record in content["annotations"]:
        record["area"] = 1
        del record["iscrowd"]


def unlabelled(content: Content) -> None:
    for record in content["annotations"]:
        record["keypoints"] = [0] * 15


def test_a_data_set_is_checked_by_the_path_of_its_file(tmp_path: Path) -> None:
    dataset = write_dataset(tmp_path / "torso.yaml", torso_folder(tmp_path / "mine", area_one))
    sheet, found = tmp_path / "sheet.png", tmp_path / "check.json"
    done = check_data(dataset, "--sheet", sheet, "--json", found)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "val: 2 images, 4 persons with labelled keypoints",
        "  derived: iscrowd 4",
        "  warning: area: 4; annotation 10: the area does not fit the box, so OKS will be wrong",
        "  boxes ground_truth: 4",
    ]
    split = json.loads(found.read_text())["val"]
    (warning,) = split["warnings"]
    assert (warning["kind"], warning["count"]) == ("area", 4)
    assert warning["first"].startswith("annotation 10: ")
    image = cv2.imread(str(sheet))
    assert image is not None
    assert image.shape == (254, 4 * 180, 3)
    assert image.std() > 20


def test_the_packaged_photographs_are_clean() -> None:
    done = check_data("photographs")
    assert done.returncode == 0, done.stderr
    assert "42 persons with labelled keypoints" in done.stdout
    assert "warning" not in done.stdout


@pytest.mark.parametrize("reason", ["no person has a labelled keypoint", "no image can be read; the first, p001.png"])
def test_a_split_that_cannot_be_used_ends_with_status_1(tmp_path: Path, reason: str) -> None:
    folder = torso_folder(tmp_path / "mine", unlabelled)
    if "image" in reason:
        for image in (folder / "images").iterdir():
            image.unlink()
    dataset = write_dataset(tmp_path / "torso.yaml", folder)
    done = check_data(dataset)
    assert done.returncode == 1
    assert "warning: no_labels: " in done.stdout
    assert done.stderr.startswith(f"transpose: {dataset}: split val: {reason}")
