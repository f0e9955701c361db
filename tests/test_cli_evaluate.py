"""`transpose evaluate`: text, JSON, and one line for what is wrong."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.helpers.torso_data import torso_content, torso_dataset


def evaluate(*options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "transpose", "evaluate", *map(str, options), "--samples", "20"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def files(tmp_path: Path) -> list[object]:
    """A results file of a detector that counts categories from 0, annotations without images, and a data set."""
    content = torso_content()
    for image in content["images"]:
        del image["height"], image["width"]
    results = [
        {"image_id": f"p{p['image_id']:03d}", "category_id": 0, "keypoints": p["keypoints"], "score": 0.5}
        for p in content["annotations"]
    ]
    (tmp_path / "results.json").write_text(json.dumps(results))
    (tmp_path / "gt.json").write_text(json.dumps(content))
    (tmp_path / "torso.yaml").write_text(yaml.safe_dump(torso_dataset(tmp_path).model_dump(mode="json")))
    return [tmp_path / "results.json", "--annotations", tmp_path / "gt.json", "--dataset", tmp_path / "torso.yaml"]


def test_anyones_results_are_evaluated(files: list[object], tmp_path: Path) -> None:
    done = evaluate(*files, "--category", "0", "--json", tmp_path / "found.json")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "2 images, 4 persons with labelled keypoints, 4 predictions"
    assert lines[1].startswith("AP   100.00  [100.00, 100.00]: 95% interval")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["metrics"]["AP"] == pytest.approx(1)
    assert found["skeleton"] == "torso"


def test_categories_from_0_are_one_line(files: list[object]) -> None:
    done = evaluate(*files)
    assert done.returncode == 1
    assert done.stderr.startswith(f"transpose: {files[0]}: category_id: 0 is no annotated category; set --category")
    assert len(done.stderr.splitlines()) == 1


def test_only_oks_is_computed(files: list[object]) -> None:
    done = evaluate(*files[:3], "--dataset", "mpii")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--dataset: mpii: evaluation: is pckh; only OKS can be computed" in done.stderr
