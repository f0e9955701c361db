"""Reports of the attention analyses, from a trained model's files; errors are one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers.results_folder import write_inputs
from tests.helpers.small_variants import small_variant
from transpose.attention.faithfulness_report import write_faithfulness
from transpose.attention.records import FaithfulnessReport, StatisticsReport
from transpose.attention.statistics_report import write_statistics
from transpose.config.attention import AttentionMeasures
from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import Analysis, EvalProtocol
from transpose.config.training import Training
from transpose.errors import InputError
from transpose.evaluation.analysis_input import AnalysisInput
from transpose.files import read_json, read_npz, write_json
from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import RecordKind

Writer = Callable[[AnalysisInput], None]
WRITERS = [write_statistics, write_faithfulness]


def recipe(**changes: Any) -> Recipe:
    return Recipe(name="small", variant=small_variant("resnet", changes), training=Training(device="cpu"))


def save_model(chosen: Recipe, path: Path, *, diverged: bool = False) -> None:
    model = build_model(chosen.variant, len(COCO_PERSON))
    initialise(model, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    if diverged:
        with torch.no_grad():
            model.final_layer.weight[0] = 3e38
    save_weights(model, path, {})


def inputs_of(tiny_dataset: Path, folder: Path, annotations: str = "annotations.json", **changes: Any) -> AnalysisInput:
    """Write the files of a small model to a results folder, to analyse it on a small data set."""
    chosen, source = recipe(**changes), {"kind": "folder", "folders": {"val": str(tiny_dataset)}}
    dataset = {"title": "tiny", "source": source, "boxes": {"ground_truth": {"kind": "ground_truth"}}}
    settings = AttentionMeasures(patch=8, knockout_persons=3, curve_persons=2, occlusion_persons=1)
    inputs = write_inputs(
        folder,
        chosen,
        Dataset.model_validate(dataset),
        tiny_dataset / annotations,
        EvalProtocol(batch_size=3, blur_kernel=3),
        {RecordKind.ATTENTION_ANALYSIS: settings},
    )
    save_model(chosen, inputs.run_folder.weights)
    return inputs


@pytest.fixture
def inputs(tiny_dataset: Path, tmp_path: Path) -> AnalysisInput:
    return inputs_of(tiny_dataset, tmp_path)


def report_of(inputs: AnalysisInput, write: Writer) -> Path:
    """Path of the report of a writer."""
    analysis = Analysis.ATTENTION_STATISTICS if write is write_statistics else Analysis.FAITHFULNESS
    return inputs.layout.analysis(analysis, inputs.run, inputs.setting)


def test_statistics_of_annotations_without_masks_have_no_body_measures(inputs: AnalysisInput):
    write_statistics(inputs)
    path = report_of(inputs, write_statistics)
    report = StatisticsReport.model_validate(read_json(path))
    assert (report.variant, report.dataset, report.boxes) == ("small", "tiny", "ground_truth")
    values = {one.measure: one.mean.value for one in report.statistics if one.visibility == "visible"}
    assert values["distance"] is not None
    assert values["own_body"] is None
    assert report.persons_without_mask == report.persons > 0
    lift = read_npz(path.with_suffix(".npz"), ["lift"], "matrices")["lift"]
    assert lift.shape == (2, 3, 2, 17, 17)


def test_faithfulness_is_the_same_when_measured_again(inputs: AnalysisInput):
    write_faithfulness(inputs)
    path = report_of(inputs, write_faithfulness)
    assert FaithfulnessReport.model_validate(read_json(path)).persons == 3
    first = path.read_bytes()
    write_faithfulness(inputs)
    assert path.read_bytes() == first
    assert path.with_suffix(".npz").is_file()


@pytest.mark.parametrize("write", WRITERS)
def test_a_variant_without_encoder_has_nothing_to_measure(tiny_dataset: Path, tmp_path: Path, write: Writer):
    inputs = inputs_of(tiny_dataset, tmp_path, encoder=None)
    with pytest.raises(InputError, match="small: encoder: has no attention to explain"):
        write(inputs)
    assert not report_of(inputs, write).exists()


@pytest.mark.parametrize("write", WRITERS)
def test_no_annotated_person_is_one_line(tiny_dataset: Path, tmp_path: Path, write: Writer):
    content = read_json(tiny_dataset / "annotations.json")
    write_json(tiny_dataset / "empty.json", content | {"annotations": []})
    inputs = inputs_of(tiny_dataset, tmp_path, "empty.json")
    with pytest.raises(InputError, match=r"empty.json: annotations: no person with keypoints to explain"):
        write(inputs)
    assert not report_of(inputs, write).exists()


@pytest.mark.parametrize("write", WRITERS)
def test_a_diverged_model_is_one_line_and_no_report(inputs: AnalysisInput, write: Writer):
    save_model(recipe(), inputs.run_folder.weights, diverged=True)
    with pytest.raises(InputError, match=r"weights.safetensors: the model's heatmaps are not finite"):
        write(inputs)
    assert not report_of(inputs, write).exists()


def test_no_keypoint_in_its_crop_leaves_matrices_empty(tiny_dataset: Path, tmp_path: Path):
    content = read_json(tiny_dataset / "annotations.json")
    for person in content["annotations"]:
        keypoints = np.array(person["keypoints"], dtype=float).reshape(-1, 3)
        keypoints[:, :2] += 5000
        person["keypoints"] = keypoints.ravel().tolist()
    write_json(tiny_dataset / "away.json", content)
    inputs = inputs_of(tiny_dataset, tmp_path, "away.json")
    write_statistics(inputs)
    matrices = report_of(inputs, write_statistics).with_suffix(".npz")
    assert np.isnan(read_npz(matrices, ["lift"], "matrices")["lift"]).all()
    write_faithfulness(inputs)
    assert FaithfulnessReport.model_validate(read_json(report_of(inputs, write_faithfulness))).keypoints == 0
