"""AP after test-time changes: removing parts that a hand-made model needs costs AP, removing others costs nothing."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from tests.attention.planted import (
    DECOY_CELL,
    GRID,
    SEEKER_CELL,
    SKELETON,
    SOURCE_CELLS,
    planted_crop,
    planted_model,
    planted_pose_model,
)
from tests.helpers.pose_models import pose_model
from tests.helpers.results_folder import write_inputs
from tests.helpers.small_variants import small_variant
from transpose.attention.ablation_report import difference_in_ap, predict_ablations, write_attention_ablation
from transpose.attention.records import AttentionAblationReport, Change
from transpose.config.attention import AttentionMeasures
from transpose.config.bootstrap import Bootstrap
from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import Analysis, EvalProtocol
from transpose.config.training import Training
from transpose.data.boxes import ground_truth_boxes
from transpose.data.coco import CocoAnnotations, ImageTable, PersonInstances
from transpose.data.loader import EvaluationBatch
from transpose.device import DeviceContext
from transpose.errors import InputError
from transpose.evaluation.analysis_input import AnalysisInput
from transpose.evaluation.oks import KeypointMetrics, evaluate_keypoints
from transpose.files import read_json, write_json
from transpose.geometry import box_to_center_scale, heatmap_to_image
from transpose.inference.poses import PoseResults
from transpose.models.initialise import initialise
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import RecordKind

CPU = DeviceContext(torch.device("cpu"), "fp32", 1)
BOOTSTRAP = Bootstrap(samples=50, seed=0)
PLAIN = EvalProtocol(decoder="argmax", flip_test=False)
PERSONS = 4


def planted_annotations() -> CocoAnnotations:
    """One image per person, all equal."""
    center, scale = box_to_center_scale(np.tile((0.0, 0.0, 24.0, 32.0), (PERSONS, 1)), GRID.input_size)
    cells = np.array([SEEKER_CELL, SOURCE_CELLS[0], DECOY_CELL])
    on_grid = np.tile(np.stack((cells % 6, cells // 6), axis=-1).astype(float), (PERSONS, 1, 1))
    keypoints = heatmap_to_image(on_grid, center, scale, GRID.heatmap_size)
    ids = np.arange(1, PERSONS + 1)
    persons = PersonInstances(
        image_ids=ids,
        annotation_ids=ids,
        boxes_xywh=np.tile((0.0, 0.0, 24.0, 32.0), (PERSONS, 1)),
        keypoints=np.concatenate((keypoints, np.full((PERSONS, 3, 1), 2.0)), axis=2),
        areas=np.full(PERSONS, 2000.0),
        is_crowd=np.zeros(PERSONS, dtype=bool),
    )
    images = ImageTable(ids, [f"{number}.jpg" for number in ids], np.tile((32, 24), (PERSONS, 1)))
    return CocoAnnotations(Path("planted.json"), images, persons)


def planted_metrics(model: TransPose) -> dict[Change, KeypointMetrics]:
    annotations = planted_annotations()
    boxes = ground_truth_boxes(annotations)
    center, scale = box_to_center_scale(boxes.boxes_xywh, GRID.input_size)
    crops = torch.from_numpy(np.tile(planted_crop(), (PERSONS, 1, 1, 1)))
    batch = EvaluationBatch(crops, center, scale, np.arange(PERSONS))
    shown: Any = SimpleNamespace(batches=lambda batch_size: iter([batch]))
    found = predict_ablations(planted_pose_model(PLAIN, model), shown, boxes, seed=0)
    return {change: evaluate_keypoints(annotations, results, SKELETON) for change, results in found}


def accuracies(model: TransPose) -> dict[Change, float]:
    return {change: metrics.statistics["AP"] for change, metrics in planted_metrics(model).items()}


def test_only_the_head_that_carries_the_information_costs_ap():
    found = accuracies(planted_model(heads=2))
    assert found[Change("intact")] == pytest.approx(1)
    # Of three keypoints one is lost.
    assert found[Change("head_off", 0, 0)] == pytest.approx(0.4)
    assert found[Change("head_off", 0, 1)] == found[Change("intact")]
    assert found[Change("all_heads_off", 0)] == pytest.approx(0.4)
    assert found[Change("layer_off", 0)] == pytest.approx(0.4)


def test_a_model_that_looks_elsewhere_needs_to_look_where_it_does():
    found = accuracies(planted_model())
    assert found[Change("identity_attention")] < 0.5
    assert found[Change("uniform_attention")] < 0.5
    # Everybody is the same person, whose own attention is the mean.
    assert found[Change("mean_attention")] == found[Change("intact")] == pytest.approx(1)


def test_a_model_without_need_of_context_loses_nothing_whatever_it_attends_to():
    model = planted_model()
    assert model.global_encoder is not None
    with torch.no_grad():
        model.global_encoder.layers[0].self_attn.in_proj_weight[16:].zero_()  # pyright: ignore
    found = accuracies(model)
    for kind in ("identity_attention", "uniform_attention", "mean_attention"):
        assert found[Change(kind)] == found[Change("intact")]
    assert found[Change("all_heads_off", 0)] == found[Change("intact")] > 0


def test_a_difference_is_paired_over_images():
    metrics = planted_metrics(planted_model(heads=2))
    intact = metrics[Change("intact")]
    lost = difference_in_ap(metrics[Change("head_off", 0, 0)], intact, BOOTSTRAP)
    assert (lost.value, lost.low, lost.high) == (pytest.approx(-0.6),) * 3
    assert (lost.count, lost.images) == (PERSONS, PERSONS)
    same = difference_in_ap(metrics[Change("head_off", 0, 1)], intact, BOOTSTRAP)
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_without_persons_there_is_no_difference():
    annotations = planted_annotations()
    annotations.persons.keypoints[:] = 0
    found = PoseResults(annotations.persons.image_ids, np.zeros((PERSONS, 3, 3)), np.ones(PERSONS))
    empty = evaluate_keypoints(annotations, found, SKELETON)
    assert difference_in_ap(empty, empty, BOOTSTRAP).value is None


RECIPE = Recipe(name="small", variant=small_variant("resnet"), training=Training(device="cpu"))


def network(recipe: Recipe = RECIPE) -> TransPose:
    made = build_model(recipe.variant, len(COCO_PERSON))
    initialise(made, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    return made.eval()


PROTOCOL = EvalProtocol(batch_size=3, blur_kernel=3, keypoint_threshold=0.0)


def inputs_of(data: Path, folder: Path, recipe: Recipe = RECIPE, protocol: EvalProtocol = PROTOCOL) -> AnalysisInput:
    source = {"kind": "folder", "folders": {"val": str(data)}}
    dataset = {"title": "tiny", "source": source, "boxes": {"ground_truth": {"kind": "ground_truth"}}}
    settings = {RecordKind.ATTENTION_ANALYSIS: AttentionMeasures(seed=3)}
    inputs = write_inputs(
        folder, recipe, Dataset.model_validate(dataset), data / "annotations.json", protocol, settings, BOOTSTRAP
    )
    save_weights(network(recipe), inputs.run_folder.weights, {})
    return inputs


def report_of(inputs: AnalysisInput) -> Path:
    return inputs.layout.analysis(Analysis.ATTENTION_ABLATION, inputs.run, inputs.setting)


@pytest.mark.parametrize("flip_test", [True, False])
def test_the_intact_row_is_the_ordinary_evaluation(tiny_dataset: Path, tmp_path: Path, flip_test: bool):
    protocol = PROTOCOL.model_copy(update={"flip_test": flip_test})
    inputs = inputs_of(tiny_dataset, tmp_path, protocol=protocol)
    write_attention_ablation(inputs)
    report = AttentionAblationReport.model_validate(read_json(report_of(inputs)))
    annotations = inputs.annotations
    boxes = ground_truth_boxes(annotations)
    found = pose_model(network(), protocol, RECIPE).predict_boxes(boxes, annotations)
    assert report.results[0].metrics == evaluate_keypoints(annotations, found, COCO_PERSON).statistics
    assert report.results[0].difference is None
    assert (report.persons, report.layers, report.heads, report.seed_of_shuffling) == (4, 2, 2, 3)
    assert len(report.results) == 18
    assert all(result.difference is not None for result in report.results[1:])


def test_a_variant_without_encoder_is_refused(tiny_dataset: Path, tmp_path: Path):
    variant = small_variant("resnet", {"encoder": None})
    inputs = inputs_of(tiny_dataset, tmp_path, Recipe(name="small", variant=variant, training=Training(device="cpu")))
    with pytest.raises(InputError, match="has no attention"):
        write_attention_ablation(inputs)
    assert not report_of(inputs).exists()


def test_without_boxes_there_is_no_prediction(tiny_dataset: Path, tmp_path: Path):
    inputs = inputs_of(tiny_dataset, tmp_path)
    write_json(inputs.boxes_file, [])
    with pytest.raises(InputError, match="no person boxes to predict in"):
        write_attention_ablation(inputs)


def test_a_diverged_model_is_reported(tiny_dataset: Path, tmp_path: Path):
    inputs, model = inputs_of(tiny_dataset, tmp_path), network()
    with torch.no_grad():
        model.final_layer.weight.fill_(3e38)
    save_weights(model, inputs.run_folder.weights, {})
    with pytest.raises(InputError, match="training has diverged"):
        write_attention_ablation(inputs)
    assert not report_of(inputs).exists()
