"""The body part report: with rendered part labels, or with keypoint neighbourhoods."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.results_folder import write_inputs
from tests.helpers.small_variants import small_variant
from transpose.attention import persons as module
from transpose.attention.body_part_report import write_body_parts
from transpose.attention.records import BodyPartReport
from transpose.config.attention import AttentionMeasures
from transpose.config.dataset import Dataset, SyntheticSource
from transpose.config.recipe import Recipe
from transpose.config.study import Analysis, EvalProtocol
from transpose.config.training import Training
from transpose.errors import InputError
from transpose.evaluation.analysis_input import AnalysisInput
from transpose.files import read_json, read_npz, write_npz
from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import RecordKind
from transpose.synthetic.dataset import synthesise
from transpose.synthetic.part_labels import write_part_labels

RECIPE = Recipe(name="small", variant=small_variant("hrnet"), training=Training(device="cpu"))
SETTINGS = SyntheticSource(
    image_size=(96, 128), antialias=1, images={"val": 3}, people=(2, 3), smallest_labelled_area=100
)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthetic") / "val"
    synthesise(SETTINGS, "val", out, jobs=1)
    write_part_labels(SETTINGS, "val", out / "annotations.json", 1, out / "parts.npz")
    return out


@pytest.fixture(autouse=True)
def every_keypoint_counts_as_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weights are random."""
    monkeypatch.setattr(module, "MATCH_OKS", 1e-300)


def inputs_of(folder: Path, tmp_path: Path) -> AnalysisInput:
    source = {"kind": "folder", "folders": {"val": str(folder)}}
    dataset = {"title": "tiny", "source": source, "boxes": {"ground_truth": {"kind": "ground_truth"}}}
    inputs = write_inputs(
        tmp_path,
        RECIPE,
        Dataset.model_validate(dataset),
        folder / "annotations.json",
        EvalProtocol(batch_size=3, blur_kernel=3),
        {RecordKind.ATTENTION_ANALYSIS: AttentionMeasures(knockout_persons=3)},
    )
    model = build_model(RECIPE.variant, len(COCO_PERSON))
    initialise(model, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    save_weights(model, inputs.run_folder.weights, {})
    return inputs


def report_of(inputs: AnalysisInput) -> Path:
    return inputs.layout.analysis(Analysis.BODY_PARTS, inputs.run, inputs.setting)


def test_rendered_images_are_divided_by_parts(rendered: Path, tmp_path: Path):
    inputs, parts = inputs_of(rendered, tmp_path), rendered / "parts.npz"
    write_body_parts(inputs, parts)
    report = BodyPartReport.model_validate(read_json(report_of(inputs)))
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
        row for row in report.rows if (row.group, row.keypoints, row.measure) == ("place", "seen", "attention_mass")
    ]
    assert place.mean.value is not None
    assert 0 < place.mean.value < 1
    assert 0 < place.persons <= 3


def test_other_images_are_divided_by_neighbourhoods(tiny_dataset: Path, tmp_path: Path):
    inputs, parts = inputs_of(tiny_dataset, tmp_path), None
    write_body_parts(inputs, parts)
    report = BodyPartReport.model_validate(read_json(report_of(inputs)))
    assert report.divided_by == "keypoint_neighbourhoods"
    assert {row.group for row in report.rows} == {"place", "symmetric", "neighbours", "other_keypoints", "elsewhere"}
    assert all(count.labelled > 0 for count in report.keypoints)


def test_the_same_again_is_the_same(rendered: Path, tmp_path: Path):
    inputs, parts = inputs_of(rendered, tmp_path), rendered / "parts.npz"
    write_body_parts(inputs, parts)
    first = report_of(inputs).read_bytes()
    write_body_parts(inputs, parts)
    assert report_of(inputs).read_bytes() == first


def test_labels_of_other_persons_are_refused(rendered: Path, tmp_path: Path):
    names = ("image_ids", "parts", "owners", "annotation_ids", "image_positions", "numbers")
    labels = read_npz(rendered / "parts.npz", names, "labels")
    labels["annotation_ids"] = labels["annotation_ids"] + np.int64(1_000_000)
    write_npz(tmp_path / "parts.npz", **labels)
    inputs, parts = inputs_of(rendered, tmp_path), tmp_path / "parts.npz"
    with pytest.raises(InputError, match="has no part labels; label the parts again"):
        write_body_parts(inputs, parts)
    assert not report_of(inputs).exists()
