"""The study of released checkpoints: nothing is trained, images are read from the archive, digests are pinned."""

import hashlib
import json
import re
from pathlib import Path

import pytest
import yaml

from tests.data.mirror_server import running
from tests.workflow.small_coco import archives, released_checkpoint
from tests.workflow.snakemake_runs import output_of, snakemake
from tests.workflow.test_paper import rows_of, write_table
from tools.fault_injection.checkout import copy_clone

STUDY = "config/studies/official.yaml"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a clone holds, with the study of one released checkpoint run on annotated boxes."""
    folder = tmp_path_factory.mktemp("official")
    copy_clone(folder)
    study = yaml.safe_load((folder / STUDY).read_text())
    study["variants"] = ["tp_r_a3"]
    study["evaluations"][0]["boxes"] = ["ground_truth"]
    study["training"]["device"] = "cpu"
    study |= {"protocol_ablation": None, "resolutions": None, "dtypes": None, "attention_analysis": None}
    study |= {"attention_maps": {"persons": 1}, "cost": {"batch_sizes": [1], "repeats": 1}, "bootstrap_samples": 20}
    (folder / STUDY).write_text(yaml.safe_dump(study))
    dataset = yaml.safe_load((folder / "config/datasets/coco.yaml").read_text())
    dataset["source"]["images"] = "zip"
    (folder / "config/datasets/coco.yaml").write_text(yaml.safe_dump(dataset))
    packed = {name: content for name, content in archives().items() if name in ("annotations_trainval2017", "val2017")}
    with running(b"") as server:
        server.files = {f"{name}.zip": content for name, content in packed.items()}
        server.files["tp_r_a3.pth"] = released_checkpoint("tp_r_a3")
        rows = {
            name: {
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "urls": [server.url(f"{name}.zip")],
            }
            for name, content in packed.items()
        }
        write_table(folder / "config/tables/downloads.yaml", "archives", rows)
        rows = {"tp_r_a3": {"urls": [server.url("tp_r_a3.pth")]}}
        write_table(folder / "config/tables/weights.yaml", "weights", rows)
        done = snakemake(folder, "--configfile", STUDY)
    assert done.returncode == 0, output_of(done)
    return folder


def test_the_row_says_whose_weights_it_is_about(checkout: Path) -> None:
    digest = json.loads((checkout / "config/tables/pins/tp_r_a3.json").read_text())["sha256"]
    (row,) = rows_of(checkout / "results/official/comparison.csv")
    assert row["initialisation"] == f"released TransPose-R-A3 ({digest[:8]}), not trained here"
    run = json.loads((checkout / "results/official/train/tp_r_a3/seed0/run.json").read_text())
    assert (run["released"]["sha256"], run["parameters"], run["training"]) == (digest, 5_195_345, None)


def test_nothing_was_trained_or_unpacked_or_fetched_for_training(checkout: Path) -> None:
    assert not list((checkout / "results/official/train").rglob("history.jsonl"))
    assert not (checkout / "resources/unpacked").exists()
    assert not (checkout / "resources/downloads/train2017.zip").exists()


def test_nothing_is_left_to_do(checkout: Path) -> None:
    assert "Nothing to be done" in output_of(snakemake(checkout, "-n", "--configfile", STUDY))


def test_a_checkpoint_of_another_variant_is_refused_by_name(checkout: Path) -> None:
    path = checkout / "config/variants/tp_r_a3.yaml"
    before = path.read_text()
    path.write_text(before.replace("layers: 3", "layers: 4"))
    done = snakemake(checkout, "--configfile", STUDY, "--", "results/official/train/tp_r_a3/seed0/run.json")
    path.write_text(before)
    assert done.returncode != 0
    assert re.search(r"global_encoder\.layers\.3\.self_attn\.in_proj_weight, .* more: missing", output_of(done))
