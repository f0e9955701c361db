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


def test_all_error_types_and_the_calibration_are_printed(files: list[object], tmp_path: Path) -> None:
    figure, out = tmp_path / "reliability.png", tmp_path / "found.json"
    done = evaluate(*files, "--category", "0", "--figure", figure, "--json", out)
    assert done.returncode == 0, done.stderr
    rows = {line.strip().partition("  ")[0]: line.split() for line in done.stdout.splitlines()}
    for name in ("jitter", "inversion", "swap", "miss", "undetected", "localisation", "duplicate", "background"):
        assert rows[name][1:3] == ["0", "+0.00"]
    for name in ("best not first", "out of order"):
        assert "+0.00" in rows[name]
    # All persons are found exactly with a score of 0.5.
    assert rows["person scores"][2] == "50.00"
    for kind in ("keypoint", "visibility", "size", "overlapping persons", "labelled keypoints", "image border"):
        assert f"by {kind}, % of keypoints" in done.stdout
    found = json.loads(out.read_text())
    assert found["errors"]["good"] == 20
    assert found["calibration"]["persons"]["ece"]["value"] == pytest.approx(0.5)
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_a_subset_is_evaluated_only_on_request(files: list[object], tmp_path: Path) -> None:
    results = json.loads(Path(str(files[0])).read_text())
    Path(str(files[0])).write_text(json.dumps(results[:2]))
    whole = evaluate(*files, "--category", "0").stdout
    assert "1 images with persons have no prediction" in whole
    assert "undetected             10" in whole
    part = evaluate(*files, "--category", "0", "--subset").stdout.splitlines()
    assert part[:2] == [
        "1 images, 2 persons with labelled keypoints, 2 predictions",
        "a subset: only the images with a prediction",
    ]
    assert part[2].startswith("AP   100.00")


def test_categories_from_0_are_one_line(files: list[object]) -> None:
    done = evaluate(*files)
    assert done.returncode == 1
    assert done.stderr.startswith(f"transpose: {files[0]}: category_id: 0 is no annotated category; set --category")
    assert len(done.stderr.splitlines()) == 1


def test_only_oks_is_computed(files: list[object]) -> None:
    done = evaluate(*files[:3], "--dataset", "mpii")
    assert (done.returncode, done.stdout) == (1, "")
    assert "--dataset: mpii: evaluation: is pckh; only OKS can be computed" in done.stderr
