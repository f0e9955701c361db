"""A user's own split is imported and checked before anything works on it."""

import json
from pathlib import Path

import yaml

from tests.conftest import write_tiny_dataset
from tests.workflow.snakemake_runs import output_of, snakemake
from tools.fault_injection.checkout import copy_clone

COUNTS = "results/boxes/mine/val/ground_truth.counts.json"


def test_broken_images_stop_a_study_or_are_left_out(tmp_path: Path) -> None:
    copy_clone(tmp_path)
    own = write_tiny_dataset(tmp_path / "own")
    broken = sorted((own / "images").iterdir())[0]
    broken.write_bytes(b"")
    split = {"dataset": "mine", "split": "val"}
    study = {"name": "mine", "variants": ["r_sine"], "train": split, "validation": split}
    study["evaluations"] = [split | {"boxes": ["ground_truth"]}]
    (tmp_path / "config" / "config.yaml").write_text(yaml.safe_dump(study))
    outputs = {}
    for choice in ("refuse", "skip"):
        dataset = {
            "title": "mine",
            "source": {"kind": "folder", "folders": {"val": "./own/"}, "unreadable_images": choice},
            "boxes": {"ground_truth": {"kind": "ground_truth"}},
        }
        (tmp_path / "config" / "datasets" / "mine.yaml").write_text(yaml.safe_dump(dataset))
        done = snakemake(tmp_path, COUNTS)
        outputs[choice] = output_of(done)
        assert (done.returncode == 0) == (choice == "skip"), output_of(done)
    problem = f"{broken.name}: the image is empty; `unreadable_images: skip` leaves them out"
    assert problem in outputs["refuse"]
    counts = json.loads((tmp_path / COUNTS).read_text())
    assert (counts["images"], counts["unreadable_images"]) == (3, 1)
    check = json.loads((tmp_path / "resources/imported/mine/val/check.json").read_text())
    assert check["unusable_images"] == {broken.name: "the image is empty"}
