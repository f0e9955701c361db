"""From weights and boxes to a file of predictions."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.helpers.pose_models import pose_model
from tests.helpers.results_folder import write_inputs
from tests.helpers.small_variants import small_variant
from transpose.config.dataset import Dataset
from transpose.config.load import read_record
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.config.training import Training
from transpose.data.boxes import PersonBoxes, read_boxes, write_boxes
from transpose.data.coco import load_annotations
from transpose.device import DeviceContext
from transpose.errors import InputError
from transpose.evaluation.prediction_file import write_predictions
from transpose.evaluation.prediction_record import PredictionRecord
from transpose.evaluation.results import read_results
from transpose.files import write_json
from transpose.inference.poses import PoseResults
from transpose.models.initialise import initialise
from transpose.models.optimize import optimize_for_inference
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import RecordKind

RECIPE = Recipe(name="small", variant=small_variant("resnet"), training=Training(device="cpu", workers=0))
PROTOCOL = EvalProtocol(batch_size=3, blur_kernel=3)


class Files:
    """Files that a prediction reads and writes."""

    def __init__(self, data: Path, folder: Path) -> None:
        source = {"kind": "folder", "folders": {"val": str(data)}}
        dataset = {"title": "tiny", "source": source, "boxes": {"ground_truth": {"kind": "ground_truth"}}}
        self.annotations = data / "annotations.json"
        self.inputs = write_inputs(folder, RECIPE, Dataset.model_validate(dataset), self.annotations, PROTOCOL)
        self.weights, self.boxes = self.inputs.run_folder.weights, self.inputs.boxes_file
        self.output = self.inputs.predictions_file

    def predict(self, protocol: EvalProtocol = PROTOCOL) -> PoseResults:
        write_json(self.inputs.layout.record(RecordKind.PROTOCOL), protocol.model_dump(mode="json"))
        # Read every file again.
        write_predictions(replace(self.inputs))
        return read_results(self.output, COCO_PERSON)

    def fails(self, words: str) -> None:
        with pytest.raises(InputError) as caught:
            self.predict()
        assert words in str(caught.value)
        assert not self.output.exists()


def model() -> TransPose:
    made = build_model(RECIPE.variant, len(COCO_PERSON))
    initialise(made, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
    return made


@pytest.fixture
def files(tiny_dataset: Path, tmp_path: Path) -> Files:
    files = Files(tiny_dataset, tmp_path)
    save_weights(model(), files.weights, {})
    return files


def test_persons_in_boxes_become_results(files: Files) -> None:
    results = files.predict()
    boxes = read_boxes(files.boxes)
    assert 0 < len(results) <= len(boxes)
    assert set(results.image_ids) == set(boxes.image_ids)
    assert np.isfinite(results.keypoints).all()


def test_it_is_what_a_model_in_hand_predicts(files: Files) -> None:
    annotations, context = (
        load_annotations(files.annotations, COCO_PERSON),
        DeviceContext(torch.device("cpu"), "fp32", 1),
    )
    boxes, in_hand = read_boxes(files.boxes), optimize_for_inference(model(), context)
    expected = pose_model(in_hand, PROTOCOL, RECIPE).predict_boxes(boxes, annotations)
    results = files.predict()
    np.testing.assert_array_equal(results.image_ids, expected.image_ids)
    np.testing.assert_array_equal(results.keypoints, expected.keypoints)
    np.testing.assert_array_equal(results.scores, expected.scores)


def test_the_same_files_give_the_same_bytes(files: Files) -> None:
    files.predict()
    first = files.output.read_bytes()
    files.predict()
    assert files.output.read_bytes() == first


def test_size_of_batches_hardly_matters(files: Files) -> None:
    three, one = files.predict(), files.predict(protocol=PROTOCOL.model_copy(update={"batch_size": 1}))
    np.testing.assert_allclose(one.keypoints, three.keypoints, atol=1e-3)


@pytest.mark.parametrize("change", [{"flip_test": False}, {"decoder": "argmax"}, {"keypoint_threshold": 0.0}])
def test_the_protocol_is_obeyed(files: Files, change: dict[str, Any]) -> None:
    files.predict()
    official = files.output.read_bytes()
    files.predict(protocol=PROTOCOL.model_copy(update=change))
    assert files.output.read_bytes() != official


def test_no_boxes_are_no_persons(files: Files) -> None:
    write_boxes(read_boxes(files.boxes).select(np.zeros(0, dtype=np.int64)), files.boxes)
    assert len(files.predict()) == 0


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (torch.nan, "final_layer.weight: has values that are not finite"),
        (torch.inf, "final_layer.weight: has values that are not finite"),
        (3e38, "the model's heatmaps are not finite"),
    ],
)
def test_a_diverged_model_is_one_line_that_names_the_weights(files: Files, value: float, problem: str) -> None:
    diverged = model()
    with torch.no_grad():
        diverged.final_layer.weight[3] = value
    save_weights(diverged, files.weights, {})
    files.fails(f"weights.safetensors: {problem}; training has diverged")


def test_weights_of_another_variant_are_refused(files: Files) -> None:
    save_weights(build_model(small_variant("resnet", {"dim": 4}), len(COCO_PERSON)), files.weights, {})
    files.fails("weights.safetensors: ")


@pytest.mark.parametrize("name", ["weights", "annotations", "boxes"])
def test_a_missing_file_is_reported(files: Files, name: str) -> None:
    path: Path = getattr(files, name)
    path.unlink()
    files.fails(f"{path.name}: no such file")


def test_a_missing_image_is_reported(files: Files) -> None:
    image = files.annotations.parent / "images" / "000000000013.jpg"
    image.unlink()
    files.fails(image.name)


def test_a_box_in_an_unknown_image_is_reported(files: Files) -> None:
    ids = np.array([99])
    write_boxes(PersonBoxes(ids, np.array([[1.0, 2.0, 30.0, 40.0]]), np.ones(1), np.array([-1])), files.boxes)
    files.fails("annotations.json: image 99: has a box, but is not in the annotations")


def test_another_runtime_predicts_the_same_and_is_in_the_record(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxscript")
    monkeypatch.setenv("XDG_CACHE_HOME", str(files.annotations.parent / "cache"))
    expected, in_torch = files.predict(), read_record(PredictionRecord, files.inputs.prediction_record)
    found = files.predict(PROTOCOL.model_copy(update={"runtime": "onnxruntime"}))
    record = read_record(PredictionRecord, files.inputs.prediction_record)
    np.testing.assert_array_equal(found.image_ids, expected.image_ids)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4)
    assert (in_torch.runtime.name, in_torch.runtime.version) == ("torch", torch.__version__)
    assert (record.runtime.name, record.protocol.runtime) == ("onnxruntime", "onnxruntime")
