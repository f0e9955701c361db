"""The body part file: by rendered parts where there are any, by neighbourhoods elsewhere."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.small_variants import small_variant
from transpose.attention import attribution as module
from transpose.attention.body_part_report import write_body_parts
from transpose.attention.examination import Examination
from transpose.attention.records import BodyPartReport
from transpose.config.attention import AttentionMeasures
from transpose.config.dataset import Dataset, SyntheticSource
from transpose.config.recipe import Recipe
from transpose.config.study import Protocol
from transpose.config.training import Training
from transpose.data.boxes import ground_truth_boxes, write_boxes
from transpose.data.coco import load_annotations
from transpose.data.part_labels import write_part_labels
from transpose.data.synthetic.dataset import synthesise
from transpose.errors import InputError
from transpose.evaluation.report import Bootstrap
from transpose.files import read_json, read_npz, write_json, write_npz
from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.skeleton import COCO

RECIPE = Recipe(name="small", variant=small_variant("hrnet"), training=Training(device="cpu"))
SETTINGS = SyntheticSource(
    image_size=(96, 128), antialias=1, pictures={"val": 3}, people=(2, 3), smallest_labelled_area=100
)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "val"
    synthesise(SETTINGS, "val", out, jobs=1)
    write_part_labels(SETTINGS, "val", out / "annotations.json", 1, out / "parts.npz")
    return out


@pytest.fixture(autouse=True)
def every_joint_counts_as_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights are random."""
    monkeypatch.setattr(module, "WELL_FOUND", 1e-300)


def examination(folder: Path, tmp_path: Path) -> Examination:
    run = tmp_path / "train" / "run.json"
    model = build_model(RECIPE.variant, len(COCO))
    initialise(model, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    save_weights(model, run.parent / "weights.safetensors", {})
    write_json(run, {"variant": "small", "title": "Small", "seed": 0, "initialisation": "from scratch", "code": {}})
    write_boxes(ground_truth_boxes(load_annotations(folder / "annotations.json", COCO)), tmp_path / "boxes.json")
    source = {"kind": "folder", "folders": {"val": str(folder)}}
    dataset = {"title": "tiny", "source": source, "boxes": {"ground_truth": {"kind": "ground_truth"}}}
    return Examination(
        recipe=RECIPE,
        run=run,
        dataset=Dataset.model_validate(dataset),
        annotations=folder / "annotations.json",
        boxes=tmp_path / "boxes.json",
        protocol=Protocol(batch_size=3, blur_kernel=3),
        settings=AttentionMeasures(knockout_persons=3),
        bootstrap=Bootstrap(samples=20, seed=0),
        output=tmp_path / "body_parts" / "tiny" / "val" / "ground_truth.json",
    )


def test_rendered_pictures_are_divided_by_parts(rendered: Path, tmp_path: Path):
    examined, parts = examination(rendered, tmp_path), rendered / "parts.npz"
    write_body_parts(examined, parts)
    report = BodyPartReport.model_validate(read_json(examined.output))
    assert (report.divided_by, report.persons) == ("body_parts", 3)
    assert {row.group for row in report.rows} >= {
        "place",
        "own_parts",
        "symmetric",
        "neighbours",
        "other_people",
        "background",
    }
    (place,) = [
        row for row in report.rows if (row.group, row.joints, row.measure) == ("place", "seen", "attention_mass")
    ]
    assert place.mean.value is not None
    assert 0 < place.mean.value < 1
    assert 0 < place.persons <= 3


def test_other_pictures_are_divided_by_neighbourhoods(tiny_dataset: Path, tmp_path: Path):
    examined, parts = examination(tiny_dataset, tmp_path), None
    write_body_parts(examined, parts)
    report = BodyPartReport.model_validate(read_json(examined.output))
    assert report.divided_by == "joint_neighbourhoods"
    assert {row.group for row in report.rows} == {"place", "symmetric", "neighbours", "other_joints", "elsewhere"}
    assert all(count.labelled > 0 for count in report.joints)


def test_the_same_again_is_the_same(rendered: Path, tmp_path: Path):
    examined, parts = examination(rendered, tmp_path), rendered / "parts.npz"
    write_body_parts(examined, parts)
    first = examined.output.read_bytes()
    write_body_parts(examined, parts)
    assert examined.output.read_bytes() == first


def test_labels_of_other_persons_are_refused(rendered: Path, tmp_path: Path):
    names = ("image_ids", "parts", "owners", "annotation_ids", "pictures", "numbers")
    labels = read_npz(rendered / "parts.npz", names, "labels")
    labels["annotation_ids"] = labels["annotation_ids"] + np.int64(1_000_000)
    write_npz(tmp_path / "parts.npz", **labels)
    examined, parts = examination(rendered, tmp_path), tmp_path / "parts.npz"
    with pytest.raises(InputError, match="has no part labels; label the parts again"):
        write_body_parts(examined, parts)
    assert not examined.output.exists()
