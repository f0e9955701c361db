"""The paper's study, its own rules and data set, against a server that does what servers do.

Only addresses, digests and amounts differ from `config/studies/paper.yaml`: one variant of each family trains for a few
steps at its full input size, on archives of the same form as COCO's.
"""

import csv
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.data.mirror_server import cut_after, ignore_range, running, serve, status
from tests.workflow.small_coco import TRAINED_PERSONS, VALIDATED_IMAGES, archives, backbone_checkpoint, detections
from tests.workflow.snakemake_runs import output_of, snakemake
from tools.fault_injection.checkout import copy_clone
from transpose.files import read_json

VARIANTS = ("tp_r_a3", "tp_h_s")
BACKBONES = {"resnet50": "tp_r_a3", "hrnet_w32": "tp_h_s"}


def write_study(checkout: Path) -> None:
    """`config/studies/paper.yaml` with fewer variants and steps; everything else as it is."""
    study = yaml.safe_load((checkout / "config" / "studies" / "paper.yaml").read_text())
    study |= {
        "variants": list(VARIANTS),
        "ablations": [],
        # Run at toy size in test_dag.py; at full size they take minutes a model.
        "protocol_ablation": None,
        "resolutions": None,
        "dtypes": None,
        "attention_analysis": None,
        "attention_maps": {"persons": 1},
        "cost": {"batch_sizes": [1], "repeats": 1},
        "bootstrap_samples": 20,
        "overrides": {name: study["overrides"][name] | {"epochs": 1, "gpus": 1, "batch_size": 4} for name in VARIANTS},
    }
    study["training"] |= {"device": "cpu", "workers": 0, "attention_dropout": 0.0}
    (checkout / "config" / "studies" / "paper.yaml").write_text(yaml.safe_dump(study))


def write_table(path: Path, key: str, rows: dict[str, dict[str, Any]]) -> None:
    table = yaml.safe_load(path.read_text())
    for name, row in rows.items():
        table[key][name] |= row
    path.write_text(yaml.safe_dump(table))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a clone holds, with the paper's study run once."""
    folder = tmp_path_factory.mktemp("paper")
    copy_clone(folder)
    write_study(folder)
    packed = archives()
    files = {f"{name}.zip": content for name, content in packed.items()}
    checkpoints = {name: backbone_checkpoint(variant) for name, variant in BACKBONES.items()}
    files |= {f"{name}.pth": content for name, content in checkpoints.items()}
    test_boxes = folder / "resources/detections/COCO_test-dev2017_detections_AP_H_609_person.json"
    test_boxes.parent.mkdir(parents=True)
    test_boxes.write_text(
        json.dumps(detections(packed["image_info_test2017"], "annotations/image_info_test-dev2017.json"))
    )
    val_boxes = json.dumps(
        detections(packed["annotations_trainval2017"], "annotations/person_keypoints_val2017.json")
    ).encode()
    dataset = folder / "config/datasets/coco.yaml"
    coco = yaml.safe_load(dataset.read_text())
    coco["boxes"]["detector"]["sha256"] = {"val2017": hashlib.sha256(val_boxes).hexdigest()}
    dataset.write_text(yaml.safe_dump(coco))
    files["boxes.json"] = val_boxes
    with running(b"") as server:
        server.files = files
        write_table(
            folder / "config" / "tables" / "downloads.yaml",
            "archives",
            {
                name: {
                    "bytes": len(content),
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "urls": [server.url(f"{name}.zip")],
                }
                for name, content in packed.items()
            },
        )
        write_table(
            folder / "config" / "tables" / "downloads.yaml",
            "files",
            {
                "coco_val2017_person_boxes": {
                    "bytes": len(val_boxes),
                    "sha256": hashlib.sha256(val_boxes).hexdigest(),
                    "urls": [server.url("boxes.json")],
                }
            },
        )
        write_table(
            folder / "config" / "tables" / "weights.yaml",
            "weights",
            {
                name: {
                    "sha256_prefix": hashlib.sha256(content).hexdigest()[:8],
                    "urls": [server.url(f"{name}.pth")],
                }
                for name, content in checkpoints.items()
            },
        )
        # Whichever files come first: a busy server, a cut line, one that cannot continue, wrong bytes.
        server.replies = [status(503), cut_after(5_000), ignore_range, cut_after(9_000)]
        done = snakemake(folder, "--configfile", "config/studies/paper.yaml")
        assert done.returncode == 0, output_of(done)
    return folder


def test_every_table_has_its_rows_and_no_published_figure_beside_them(checkout: Path) -> None:
    rows = rows_of(checkout / "results/paper/comparison.csv")
    assert sorted((row["variant"], row["boxes"]) for row in rows) == sorted(
        (variant, boxes) for variant in VARIANTS for boxes in ("detector", "ground_truth")
    )
    for row in rows:
        assert 0 <= float(row["AP"]) <= 100
        # A handful of images under COCO's name is not COCO.
        assert row["comparable"] == "False"
        assert f"{VALIDATED_IMAGES} images instead of 5000" in row["verdict"]


def test_each_published_row_has_a_verdict_line(checkout: Path) -> None:
    rows = rows_of(checkout / "results/paper/verdicts.csv")
    published = yaml.safe_load((checkout / "config/tables/published.yaml").read_text())["rows"]
    assert {row["model"] for row in rows} == {row["model"] for row in published}
    assert all(row["boxes"] and row["tolerance"] and row["source"] for row in rows)
    assert {row["verdict"] for row in rows} == {"not run", "published only"}


def test_boxes_are_counted(checkout: Path) -> None:
    boxes = {row["boxes"]: row for row in rows_of(checkout / "results/paper/person_boxes.csv")}
    assert boxes["detector"]["count"] == str(VALIDATED_IMAGES)
    assert boxes["detector"]["reasons"] == "1 other categories"
    labelled = read_json(checkout / "resources/coco/val2017/annotations.json")["annotations"]
    assert boxes["ground_truth"]["count"] == str(len(labelled))


def test_test_dev_is_packed_as_the_server_asks(checkout: Path) -> None:
    for variant in VARIANTS:
        folder = checkout / "results/paper/submissions/coco/test_dev2017/detector" / variant / "seed0"
        name = f"person_keypoints_test-dev2017_{variant}_results"
        with zipfile.ZipFile(folder / f"{name}.zip") as archive:
            assert archive.namelist() == [f"{name}.json"]
            persons = json.loads(archive.read(f"{name}.json"))
        assert [len(person["keypoints"]) for person in persons] == [51, 51]


def test_backbones_are_pinned_and_named_in_every_row(checkout: Path) -> None:
    for name in BACKBONES:
        digest = json.loads((checkout / f"config/tables/pins/{name}.json").read_text())["sha256"]
        assert hashlib.sha256((checkout / f"resources/weights/{name}.pth").read_bytes()).hexdigest() == digest
    run = json.loads((checkout / "results/paper/train/tp_r_a3/seed0/run.json").read_text())
    assert run["initialisation"].startswith("backbone ResNet-50, ImageNet (")
    assert run["training"]["persons"] == TRAINED_PERSONS


def test_nothing_is_left_to_do_and_nothing_is_fetched_again(checkout: Path) -> None:
    assert "Nothing to be done" in output_of(snakemake(checkout, "--configfile", "config/studies/paper.yaml"))


def test_wrong_bytes_cost_one_more_download_and_end_with_a_clear_line(checkout: Path) -> None:
    target = "resources/downloads/image_info_test2017.zip.sha256.json"
    for path in (checkout / "resources/downloads").glob("image_info_test2017*"):
        path.unlink()
    table = yaml.safe_load((checkout / "config/tables/downloads.yaml").read_text())
    size = table["archives"]["image_info_test2017"]["bytes"]
    with running(b"") as server:
        write_table(
            checkout / "config/tables/downloads.yaml",
            "archives",
            {"image_info_test2017": {"urls": [server.url("image_info_test2017.zip")]}},
        )
        server.replies = [serve(b"x" * size)] * 9
        done = snakemake(checkout, "--configfile", "config/studies/paper.yaml", "--", target)
        assert len(server.requests) == 2
    assert done.returncode != 0
    assert "cannot be downloaded" in output_of(done)
    assert not (checkout / target).exists()
