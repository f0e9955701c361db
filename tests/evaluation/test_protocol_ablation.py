"""All protocols from one set of heatmaps: as many network calls as one evaluation, and the metrics of each protocol."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.helpers.pose_models import pose_model
from tests.helpers.results_folder import write_inputs
from tests.helpers.small_variants import small_variant
from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import Analysis, EvalProtocol, EvalSetting
from transpose.config.training import Training
from transpose.data.boxes import PersonBoxes, ground_truth_boxes
from transpose.data.coco import load_annotations
from transpose.data.image_source import image_source_of
from transpose.data.loader import EvaluationCrops
from transpose.device import DeviceContext
from transpose.errors import InputError
from transpose.evaluation.analysis_input import AnalysisInput
from transpose.evaluation.analysis_records import ProtocolAblationReport
from transpose.evaluation.oks import evaluate_keypoints
from transpose.evaluation.protocol_ablation import combinations, predict_combinations, write_protocol_ablation
from transpose.files import read_json, sha256_of_file
from transpose.models.initialise import initialise
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.skeleton import COCO_PERSON

RECIPE = Recipe(name="small", variant=small_variant("resnet"), training=Training(device="cpu"))
PROTOCOL = EvalProtocol(batch_size=3, blur_kernel=3, keypoint_threshold=0.0)
CPU = DeviceContext(torch.device("cpu"), "fp32", 1)


class Counted(nn.Module):
    """A network that counts the crops that it sees."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.calls, self.crops = 0, 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        self.crops += len(images)
        return self.network(images)


def network() -> TransPose:
    made = build_model(RECIPE.variant, len(COCO_PERSON))
    initialise(made, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    return made.eval()


@pytest.fixture
def boxes(tiny_dataset: Path) -> PersonBoxes:
    """The annotated boxes with unequal scores, each of them twice and slightly apart: suppression has work to do."""
    once = ground_truth_boxes(load_annotations(tiny_dataset / "annotations.json", COCO_PERSON))
    scores = np.linspace(0.3, 0.9, 2 * len(once))
    return PersonBoxes(
        np.tile(once.image_ids, 2),
        np.concatenate([once.boxes_xywh, once.boxes_xywh + 0.01]),
        scores,
        np.tile(once.annotation_ids, 2),
    )


def test_all_combinations_once_and_the_official_one_first():
    everything = combinations(PROTOCOL.model_copy(update={"decoder": "argmax", "nms_threshold": None, "score": "box"}))
    assert len(everything) == len(set(everything)) == 36
    assert everything[0] == PROTOCOL
    assert {one.nms_threshold for one in everything} == {0.9, None}


def test_a_studys_own_threshold_is_kept():
    assert {one.nms_threshold for one in combinations(EvalProtocol(nms_threshold=0.5))} == {0.5, None}


def test_the_network_sees_each_crop_twice(tiny_dataset: Path, boxes: PersonBoxes):
    annotations = load_annotations(tiny_dataset / "annotations.json", COCO_PERSON)
    crops = EvaluationCrops(boxes, annotations, image_source_of(annotations.source), RECIPE.variant.input_size)
    counted = Counted(network())
    found = list(predict_combinations(pose_model(counted, PROTOCOL, RECIPE), crops.batches(3), boxes))
    assert len(found) == 36
    assert counted.crops == 2 * len(boxes)
    assert counted.calls == 2 * -(-len(boxes) // 3)


def test_each_combination_is_what_its_protocol_gives(tiny_dataset: Path, boxes: PersonBoxes):
    path = tiny_dataset / "annotations.json"
    annotations, model, size = load_annotations(path, COCO_PERSON), network(), RECIPE.variant.input_size
    crops = EvaluationCrops(boxes, annotations, image_source_of(path), size)
    kept = set()
    for protocol, results in predict_combinations(pose_model(model, PROTOCOL, RECIPE), crops.batches(3), boxes):
        expected = pose_model(model, protocol, RECIPE).predict_boxes(boxes, annotations)
        np.testing.assert_array_equal(results.image_ids, expected.image_ids)
        np.testing.assert_array_equal(results.keypoints, expected.keypoints)
        np.testing.assert_array_equal(results.scores, expected.scores)
        kept.add((protocol.nms_threshold, len(results)))
    assert (None, len(boxes)) in kept
    assert all(count < len(boxes) for threshold, count in kept if threshold is not None)


@pytest.fixture
def inputs(tiny_dataset: Path, boxes: PersonBoxes, tmp_path: Path) -> AnalysisInput:
    source = {"kind": "folder", "folders": {"val": str(tiny_dataset)}}
    dataset = {"title": "tiny", "source": source, "boxes": {"simulated": {"kind": "simulated"}}}
    setting = EvalSetting("tiny", "val", "simulated")
    annotations = tiny_dataset / "annotations.json"
    inputs = write_inputs(
        tmp_path, RECIPE, Dataset.model_validate(dataset), annotations, PROTOCOL, boxes=boxes, setting=setting
    )
    save_weights(network(), inputs.run_folder.weights, {})
    return inputs


def test_the_file_holds_the_evaluators_figures_and_names_the_boxes(inputs: AnalysisInput, boxes: PersonBoxes):
    write_protocol_ablation(inputs)
    path = inputs.layout.analysis(Analysis.PROTOCOLS, inputs.run, inputs.setting)
    report = ProtocolAblationReport.model_validate(read_json(path))
    assert (report.boxes_kind, report.box_count, report.persons) == ("simulated", len(boxes), 4)
    assert report.weights_sha256 == sha256_of_file(inputs.run_folder.weights)
    assert report.runtime.name == "torch"
    assert [result.official for result in report.results] == [True] + 35 * [False]
    for result in (report.results[0], report.results[-1]):
        expected = pose_model(network(), result.protocol, RECIPE).predict_boxes(boxes, inputs.annotations)
        assert result.metrics == evaluate_keypoints(inputs.annotations, expected, COCO_PERSON).statistics
        assert result.predictions == len(expected)


def test_a_box_source_that_the_data_set_does_not_have_is_refused(inputs: AnalysisInput):
    other = replace(inputs, setting=inputs.setting._replace(boxes="other"))
    with pytest.raises(InputError, match="no box source 'other'; known are simulated"):
        write_protocol_ablation(other)
    assert not list(inputs.layout.root.rglob("other.json"))
