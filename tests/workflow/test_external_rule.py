"""External results are evaluated by a rule of their own, without any training."""

import json
from pathlib import Path

import pytest
import yaml

from tests.workflow.snakemake_runs import output_of, snakemake
from tools.fault_injection.checkout import copy_clone

TARGET = "results/external/theirs.json"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone whose study has a row with the annotated keypoints of the photographs as predictions."""
    copy_clone(tmp_path)
    path = tmp_path / "config" / "config.yaml"
    study = yaml.safe_load(path.read_text())
    entry = {"name": "theirs", "title": "Theirs", "dataset": "photographs", "split": "val", "results": "theirs.json"}
    path.write_text(yaml.safe_dump(study | {"external": [entry]}))
    persons = json.loads((tmp_path / "transpose/data/photographs/annotations.json").read_text())["annotations"]
    records = [
        {"image_id": person["image_id"], "keypoints": person["keypoints"], "score": 0.9, "bbox": person["bbox"]}
        for person in persons
        if person["num_keypoints"] and not person["iscrowd"]
    ]
    (tmp_path / "theirs.json").write_text(json.dumps(records))
    return tmp_path


def test_results_are_evaluated_and_again_when_they_change(checkout: Path) -> None:
    done = snakemake(checkout, TARGET)
    assert done.returncode == 0, output_of(done)
    found = json.loads((checkout / TARGET).read_text())
    assert found["metrics"]["AP"] == pytest.approx(1)
    assert found["errors"]["keypoints"]["undetected"]["count"] == 0
    assert (checkout / TARGET).with_suffix(".npz").is_file()
    assert "Nothing to be done" in output_of(snakemake(checkout, "-n", TARGET))
    records = json.loads((checkout / "theirs.json").read_text())
    (checkout / "theirs.json").write_text(json.dumps(records[1:]))
    assert "evaluate_external" in output_of(snakemake(checkout, "-n", TARGET))
    # The comparison needs it.
    assert TARGET in output_of(snakemake(checkout, "-n", "--printshellcmds", "--verbose", "results/comparison.csv"))
