"""A data set may say that its unreadable images be left out, and everything downstream works on the rest."""

import json
from pathlib import Path

import yaml

from tests.conftest import write_tiny_dataset
from tests.workflow.snakemake_runs import output_of, snakemake
from tools.fault_injection.checkout import copy_clone

COUNTS = "results/boxes/mine/val/ground_truth.counts.json"


def test_broken_images_are_left_out_where_the_data_set_says_so(tmp_path: Path) -> None:
    copy_clone(tmp_path)
    own = write_tiny_dataset(tmp_path / "own")
    broken = sorted((own / "images").iterdir())[0]
    broken.write_bytes(b"")
    split = {"dataset": "mine", "split": "val"}
    study = {"name": "mine", "variants": ["r_sine"], "train": split, "validation": split}
    study["evaluations"] = [split | {"boxes": ["ground_truth"]}]
    (tmp_path / "config" / "config.yaml").write_text(yaml.safe_dump(study))
    images = {}
    for choice in ("refuse", "skip"):
        dataset = {
            "title": "mine",
            "source": {"kind": "folder", "folders": {"val": "own"}, "unreadable_images": choice},
            "boxes": {"ground_truth": {"kind": "ground_truth"}},
        }
        (tmp_path / "config" / "datasets" / "mine.yaml").write_text(yaml.safe_dump(dataset))
        done = snakemake(tmp_path, COUNTS)
        assert done.returncode == 0, output_of(done)
        counts = json.loads((tmp_path / COUNTS).read_text())
        images[choice] = counts["images"], counts["unreadable_images"]
    assert images == {"refuse": (4, 0), "skip": (3, 1)}
    named = json.loads((tmp_path / "resources/mine/val/broken.json").read_text())
    assert named == [{"file_name": broken.name, "problem": "the image is empty"}]
