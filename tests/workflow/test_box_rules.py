"""Boxes from URLs: detections and a detector's model are downloaded once, boxes counted and evaluated."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.data.mirror_server import cut_after, running, serve
from tests.data.onnx_detectors import write_end_to_end_model
from tests.workflow.snakemake_runs import output_of, snakemake
from tools.fault_injection.checkout import copy_clone

ANNOTATIONS = Path("transpose/data/photographs/annotations.json")
NAMES = ("remote", "detector")
TARGETS = [f"results/box_ap/photographs/val/{name}.json" for name in NAMES]


def perfect_detections() -> bytes:
    """Every annotated person's box, with one record of another category and one of an unknown image."""
    persons = json.loads((Path(__file__).parents[2] / ANNOTATIONS).read_text())["annotations"]
    records = [
        {"image_id": person["image_id"], "category_id": 1, "bbox": person["bbox"], "score": 0.9}
        for person in persons
        if not person["iscrowd"]
    ]
    return json.dumps([*records, records[0] | {"category_id": 2}, records[0] | {"image_id": 999_999}]).encode()


def configure(checkout: Path, **sources: dict[str, Any]) -> None:
    """Let the study evaluate photographs on these box sources."""
    copy_clone(checkout)
    for path, change in (
        ("datasets/photographs.yaml", lambda values: values["boxes"].update(sources)),
        (
            "config.yaml",
            lambda values: values.update(
                evaluations=[{"dataset": "photographs", "split": "val", "boxes": list(sources)}],
                protocol_ablation=None,
                resolutions=None,
                dtypes=None,
                attention_analysis=None,
            ),
        ),
    ):
        values = yaml.safe_load((checkout / "config" / path).read_text())
        change(values)
        (checkout / "config" / path).write_text(yaml.safe_dump(values))


def test_urls_are_fetched_once_and_their_boxes_are_counted_and_evaluated(tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    write_end_to_end_model(tmp_path / "model.onnx", (64, 64), [[4, 4, 30, 60], [0, 0, 9, 9]], [9.0, 9.0], [0, 5])
    detections, model = perfect_detections(), (tmp_path / "model.onnx").read_bytes()
    with running(detections) as first, running(model) as second:
        first.replies = [serve(detections), cut_after(1000)]
        configure(
            checkout,
            remote={"kind": "detections", "files": {"val": first.url("d.json?download=1")}},
            detector={
                "kind": "detector",
                "model": second.url("yolox.onnx"),
                "sha256": hashlib.sha256(model).hexdigest(),
                "input_size": [64, 64],
                "threads": 2,
            },
        )
        done = snakemake(checkout, *TARGETS)
        assert done.returncode == 0, output_of(done)
        remote, detector = (json.loads((checkout / target).read_text()) for target in TARGETS)
        assert remote["metrics"]["AP"] == pytest.approx(1)
        assert 0 <= detector["metrics"]["AP"] < 1
        counts = json.loads((checkout / "results/boxes/photographs/val/remote.counts.json").read_text())
        assert (counts["other_categories"], counts["unknown_images"]) == (1, 1)
        assert counts["kept"] == remote["persons"]
        assert detector["box_count"] == 17
        first.requests.clear()
        second.requests.clear()
        assert "Nothing to be done" in output_of(snakemake(checkout, "-n", *TARGETS))
        assert not first.requests + second.requests


def test_an_absent_detection_file_is_told_before_anything_runs(tmp_path: Path) -> None:
    configure(tmp_path, found={"kind": "detections", "files": {"val": "resources/nowhere.json"}})
    (tmp_path / "config" / "config.yaml").rename(tmp_path / "mine.yaml")
    # The plan is shown all the same.
    assert snakemake(tmp_path, "-n", "--configfile", "mine.yaml").returncode == 0
    done = snakemake(tmp_path, "--configfile", "mine.yaml")
    assert done.returncode != 0
    assert not (tmp_path / "results").exists()
    assert "resources/nowhere.json: no such file; put a detection file in COCO's format there" in output_of(done)


def test_a_listed_file_is_downloaded_from_a_mirror_and_another_one_there_is_refused(tmp_path: Path) -> None:
    detections = perfect_detections()
    row = {"version": "boxes 1", "bytes": len(detections), "sha256": hashlib.sha256(detections).hexdigest()}
    path = "resources/detections/boxes.json"
    source = {"kind": "detections", "files": {"val": path}, "listed_as": {"val": "photograph_boxes"}}
    configure(tmp_path, listed=source)
    table = tmp_path / "config" / "tables" / "downloads.yaml"
    target = "results/boxes/photographs/val/listed.json"
    with running(detections) as server:
        server.files = {"gone.json": b""}
        row["urls"] = [server.url("gone.json"), server.url("boxes.json")]
        values = yaml.safe_load(table.read_text())
        values["files"]["photograph_boxes"] = row
        table.write_text(yaml.safe_dump(values))
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("[]")
        done = snakemake(tmp_path, target)
        assert done.returncode != 0
        assert "has 2 bytes and sha256 4f53cda1" in output_of(done)
        assert f"not {len(detections):,} bytes and sha256 {row['sha256']} of boxes 1" in output_of(done)
        assert (tmp_path / path).read_text() == "[]"
        assert not server.requests
        (tmp_path / path).unlink()
        done = snakemake(tmp_path, target)
        assert done.returncode == 0, output_of(done)
    assert (tmp_path / path).read_bytes() == detections
    assert json.loads((tmp_path / f"{path}.sha256.json").read_text())["sha256"] == row["sha256"]
    assert "Nothing to be done" in output_of(snakemake(tmp_path, "-n", target))
