"""Comparison of dtypes with fp32: metrics are those of the ordinary evaluation, and shifts are correct."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.helpers.pose_models import pose_model
from tests.helpers.results_folder import write_inputs
from tests.helpers.small_variants import small_variant
from transpose.config.analyses import Dtypes
from transpose.config.dataset import Dataset
from transpose.config.recipe import Recipe
from transpose.config.study import Analysis, EvalProtocol
from transpose.config.training import Dtype, Training
from transpose.data.boxes import PersonBoxes, ground_truth_boxes
from transpose.data.coco import CocoAnnotations, load_annotations
from transpose.data.image_source import image_source_of
from transpose.data.loader import EvaluationCrops
from transpose.device import DeviceContext
from transpose.errors import InputError
from transpose.evaluation.analysis_input import AnalysisInput
from transpose.evaluation.analysis_records import DtypeReport
from transpose.evaluation.dtypes import FAR, predict_in_each, write_dtypes
from transpose.evaluation.oks import evaluate_keypoints
from transpose.files import read_json, write_json
from transpose.inference.poses import PoseResults
from transpose.models.initialise import initialise
from transpose.models.optimize import optimize_for_inference
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.pose_model import PoseModel
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import RecordKind

RECIPE = Recipe(name="small", variant=small_variant("resnet"), training=Training(device="cpu", dtype="bf16"))
PROTOCOL = EvalProtocol(batch_size=3, blur_kernel=3, keypoint_threshold=0.0, threads=1)
CONTEXTS: dict[Dtype, DeviceContext] = {
    dtype: DeviceContext(torch.device("cpu"), dtype, 1) for dtype in ("fp32", "bf16")
}


@pytest.fixture
def known(tiny_dataset: Path) -> CocoAnnotations:
    return load_annotations(tiny_dataset / "annotations.json", COCO_PERSON)


@pytest.fixture
def boxes(known: CocoAnnotations) -> PersonBoxes:
    return ground_truth_boxes(known)


def network() -> TransPose:
    made = build_model(RECIPE.variant, len(COCO_PERSON))
    initialise(made, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    return made.eval()


class OnePixelOff(nn.Module):
    """Heatmaps with one peak each, a pixel further right where autocast is on."""

    def forward(self, images: Tensor) -> Tensor:
        heatmaps = torch.zeros(len(images), len(COCO_PERSON), 32, 24)
        heatmaps[:, :, 10, 12 + torch.is_autocast_enabled("cpu")] = 1.0
        return heatmaps


def test_a_shift_is_counted_and_measured_in_the_image(known: CocoAnnotations, boxes: PersonBoxes) -> None:
    crops = EvaluationCrops(boxes, known, image_source_of(known.source), RECIPE.variant.input_size)
    protocol = PROTOCOL.model_copy(update={"decoder": "argmax", "flip_test": False})
    models: dict[Dtype, PoseModel] = {
        dtype: pose_model(OnePixelOff(), protocol, RECIPE, context=context) for dtype, context in CONTEXTS.items()
    }
    found = predict_in_each(models, crops.batches(3))
    np.testing.assert_array_equal(found["bf16"].peaks, found["fp32"].peaks + 1)
    shift = found["bf16"].predictions.keypoints_xy - found["fp32"].predictions.keypoints_xy
    # A crop is as wide as its padded box; areas are those boxes', 4 high for 3 wide.
    pixel = np.sqrt(found["fp32"].predictions.areas * 3 / 4) / 24
    np.testing.assert_allclose(shift[..., 0], np.repeat(pixel[:, None], len(COCO_PERSON), axis=1), rtol=0.06)
    np.testing.assert_array_equal(shift[..., 1], 0)


@pytest.fixture
def inputs(tiny_dataset: Path, boxes: PersonBoxes, tmp_path: Path) -> AnalysisInput:
    return inputs_of(tiny_dataset, boxes, tmp_path)


def inputs_of(data: Path, boxes: PersonBoxes, folder: Path, *dtypes: Dtype) -> AnalysisInput:
    source = {"kind": "folder", "folders": {"val": str(data)}}
    dataset = {"title": "tiny", "source": source, "boxes": {"ground_truth": {"kind": "ground_truth"}}}
    settings = {RecordKind.DTYPES: Dtypes(dtypes=dtypes or ("bf16",))}
    inputs = write_inputs(
        folder,
        RECIPE,
        Dataset.model_validate(dataset),
        data / "annotations.json",
        PROTOCOL,
        settings,
        boxes=boxes,
    )
    save_weights(network(), inputs.run_folder.weights, {})
    return inputs


def report_of(inputs: AnalysisInput) -> Path:
    return inputs.layout.analysis(Analysis.DTYPES, inputs.run, inputs.setting)


def take_for_truth(path: Path, persons: PoseResults) -> CocoAnnotations:
    """Annotations equal to the predicted keypoints."""
    assert persons.annotation_ids is not None
    found = dict(zip(persons.annotation_ids.tolist(), persons.keypoints.tolist(), strict=True))
    content = read_json(path)
    content["annotations"] = [annotation for annotation in content["annotations"] if annotation["id"] in found]
    for annotation in content["annotations"]:
        annotation["keypoints"] = [number for x, y, _ in found[annotation["id"]] for number in (x, y, 2)]
        annotation["num_keypoints"] = len(COCO_PERSON)
    write_json(path, content)
    return load_annotations(path, COCO_PERSON)


def test_both_sides_are_the_ordinary_evaluations(
    inputs: AnalysisInput, known: CocoAnnotations, boxes: PersonBoxes
) -> None:
    exact = pose_model(network(), PROTOCOL, RECIPE).predict_boxes(boxes, known, suppress=False)
    known = take_for_truth(inputs.annotations_file, exact)
    write_dtypes(inputs)
    report = DtypeReport.model_validate(read_json(report_of(inputs)))
    figures, keypoints = {}, {}
    for dtype, context in CONTEXTS.items():
        # As rules that predict do; layers by oneDNN compute in the dtype of their weights.
        model = pose_model(optimize_for_inference(network(), context), PROTOCOL, RECIPE, context=context)
        figures[dtype] = evaluate_keypoints(known, model.predict_boxes(boxes, known), COCO_PERSON).statistics
        keypoints[dtype] = model.predict_boxes(boxes, known, suppress=False).keypoints[..., :2]
    shifts = np.linalg.norm(keypoints["bf16"] - keypoints["fp32"], axis=-1)
    (result,) = report.results
    assert report.fp32 == figures["fp32"]
    assert (result.dtype, result.metrics) == ("bf16", figures["bf16"])
    difference = result.difference
    assert difference.value == pytest.approx(figures["bf16"]["AP"] - figures["fp32"]["AP"])
    assert difference.value is not None
    assert difference.low is not None
    assert difference.high is not None
    assert difference.low <= difference.value <= difference.high
    assert report.fp32["AP"] == pytest.approx(1)
    assert result.median_shift == pytest.approx(np.median(shifts))
    assert result.far_shift == pytest.approx(np.quantile(shifts, FAR))
    assert result.median_shift < result.far_shift
    assert (report.persons, report.machine["device"]) == (4, "cpu")


def test_without_boxes_nothing_is_compared(tiny_dataset: Path, boxes: PersonBoxes, tmp_path: Path) -> None:
    inputs = inputs_of(tiny_dataset, boxes.select(np.zeros(0, dtype=np.int64)), tmp_path)
    with pytest.raises(InputError, match="no person boxes to predict in"):
        write_dtypes(inputs)
    assert not report_of(inputs).exists()


@pytest.mark.parametrize(
    ("dtype", "problem"),
    [("fp16", "fp16: needs CUDA, and this runs on cpu"), ("tf32", "dtypes.dtypes: tf32: is fp32 on cpu")],
)
def test_a_dtype_that_the_device_lacks_is_refused_first(
    tiny_dataset: Path, boxes: PersonBoxes, tmp_path: Path, dtype: Dtype, problem: str
) -> None:
    inputs = inputs_of(tiny_dataset, boxes, tmp_path, "bf16", dtype)
    with pytest.raises(InputError, match=problem):
        write_dtypes(inputs)
    assert not report_of(inputs).exists()
