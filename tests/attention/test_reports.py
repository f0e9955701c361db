"""Files of measures of attention, from a trained model's files to the report; what is wrong is one line."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.small_variants import small_variant
from transpose.attention.examination import Examination
from transpose.attention.faithfulness_report import write_faithfulness
from transpose.attention.records import FaithfulnessReport, StatisticsReport
from transpose.attention.statistics_report import write_statistics
from transpose.config.attention import AttentionMeasures
from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import Protocol
from transpose.config.training import Training
from transpose.data.boxes import ground_truth_boxes, write_boxes
from transpose.data.coco import load_annotations
from transpose.errors import InputError
from transpose.evaluation.report import Bootstrap
from transpose.files import read_json, read_npz, write_json
from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.skeleton import COCO

WRITERS = [write_statistics, write_faithfulness]


def recipe(**changes: Any) -> Recipe:
    return Recipe(name="small", variant=small_variant("resnet", changes), training=Training(device="cpu"))


def save_model(chosen: Recipe, path: Path, *, diverged: bool = False) -> None:
    model = build_model(chosen.variant, len(COCO))
    initialise(model, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    if diverged:
        with torch.no_grad():
            model.final_layer.weight[0] = torch.nan
    save_weights(model, path, {})


@pytest.fixture
def examination(tiny_dataset: Path, tmp_path: Path) -> Examination:
    run = tmp_path / "train" / "run.json"
    save_model(recipe(), run.parent / "weights.safetensors")
    write_json(run, {"variant": "small", "title": "Small", "seed": 0, "initialisation": "from scratch", "code": {}})
    annotations = tiny_dataset / "annotations.json"
    write_boxes(ground_truth_boxes(load_annotations(annotations, COCO)), tmp_path / "boxes.json")
    source = {"kind": "folder", "folders": {"val": str(tiny_dataset)}}
    dataset = {"title": "tiny", "source": source, "boxes": {"ground_truth": {"kind": "ground_truth"}}}
    return Examination(
        recipe=recipe(),
        run=run,
        dataset=Dataset.model_validate(dataset),
        annotations=annotations,
        boxes=tmp_path / "boxes.json",
        protocol=Protocol(batch_size=3, blur_kernel=3),
        settings=AttentionMeasures(patch=8, knockout_persons=3, curve_persons=2, picture_persons=1),
        bootstrap=Bootstrap(samples=20, seed=0),
        output=tmp_path / "measures" / "tiny" / "val" / "ground_truth.json",
    )


def test_statistics_of_annotations_without_masks_tell_all_but_bodies(examination: Examination):
    write_statistics(examination)
    report = StatisticsReport.model_validate(read_json(examination.output))
    assert (report.variant, report.dataset, report.boxes) == ("small", "tiny", "ground_truth")
    values = {one.measure: one.mean.value for one in report.statistics if one.visibility == "visible"}
    assert values["distance"] is not None
    assert values["own_body"] is None
    assert report.persons_without_mask == report.persons > 0
    lift = read_npz(examination.output.with_suffix(".npz"), ["lift"], "matrices")["lift"]
    assert lift.shape == (2, 3, 2, 17, 17)


def test_faithfulness_is_the_same_when_measured_again(examination: Examination):
    write_faithfulness(examination)
    report = FaithfulnessReport.model_validate(read_json(examination.output))
    assert report.persons == 3
    first = examination.output.read_bytes()
    write_faithfulness(examination)
    assert examination.output.read_bytes() == first
    assert examination.output.with_suffix(".npz").is_file()


@pytest.mark.parametrize("write", WRITERS)
def test_a_variant_without_encoder_has_nothing_to_measure(
    examination: Examination, write: Callable[[Examination], None]
):
    with pytest.raises(InputError, match="small: encoder: has no attention to explain"):
        write(replace(examination, recipe=recipe(encoder=None)))
    assert not examination.output.exists()


@pytest.mark.parametrize("write", WRITERS)
def test_nobody_annotated_is_one_line(examination: Examination, write: Callable[[Examination], None], tmp_path: Path):
    content = read_json(examination.annotations)
    write_json(tmp_path / "nobody.json", content | {"annotations": []})
    with pytest.raises(InputError, match=r"nobody.json: annotations: nobody to explain: no person with keypoints"):
        write(replace(examination, annotations=tmp_path / "nobody.json"))
    assert not examination.output.exists()


@pytest.mark.parametrize("write", WRITERS)
def test_a_diverged_model_is_one_line_and_no_report(examination: Examination, write: Callable[[Examination], None]):
    save_model(recipe(), examination.weights, diverged=True)
    with pytest.raises(InputError, match=r"weights.safetensors: the model's heatmaps are not finite"):
        write(examination)
    assert not examination.output.exists()


def test_no_joint_in_its_crop_leaves_matrices_empty(examination: Examination, tmp_path: Path):
    content = read_json(examination.annotations)
    for person in content["annotations"]:
        keypoints = np.array(person["keypoints"], dtype=float).reshape(-1, 3)
        keypoints[:, :2] += 5000
        person["keypoints"] = keypoints.ravel().tolist()
    write_json(tmp_path / "away.json", content)
    (tmp_path / "images").symlink_to(examination.annotations.parent / "images")
    away = replace(examination, annotations=tmp_path / "away.json")
    write_statistics(away)
    assert np.isnan(read_npz(examination.output.with_suffix(".npz"), ["lift"], "matrices")["lift"]).all()
    write_faithfulness(away)
    assert FaithfulnessReport.model_validate(read_json(examination.output)).joints == 0
