"""Errors and calibration of a study's models, and its error browser with the attention of those with an encoder."""

import base64
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.helpers.run_records import write_run
from tests.helpers.small_variants import small_variant
from transpose.attention.maps.stored import COARSE, unpack
from transpose.config.bootstrap import Bootstrap
from transpose.config.dataset import Dataset
from transpose.config.load import read_record
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol, EvalSetting
from transpose.config.training import Training
from transpose.data.boxes import ground_truth_boxes, write_boxes
from transpose.data.coco import load_annotations
from transpose.errors import InputError
from transpose.evaluation.model_errors import SplitErrors
from transpose.evaluation.results import write_results
from transpose.files import write_json
from transpose.inference.poses import PoseResults
from transpose.models.initialise import initialise
from transpose.models.variants import build_model
from transpose.models.weights import save_weights
from transpose.reporting.attention_maps import load_for_attention_maps
from transpose.reporting.study_errors import write_study_errors
from transpose.reporting.viewer_models import annotated_crops
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import RecordKind, ResultsLayout, RunId

pytestmark = pytest.mark.slow

SETTING = EvalSetting("tiny", "val", "gt")
PROTOCOL = EvalProtocol(blur_kernel=3)
WITH, WITHOUT = RunId("small_r", 0), RunId("plain", 0)


@pytest.fixture
def layout(tmp_path: Path, tiny_dataset: Path) -> ResultsLayout:
    """Two models that predict the annotated keypoints, one of them without an encoder."""
    layout = ResultsLayout(tmp_path)
    dataset = Dataset.model_validate(
        {
            "title": "tiny & small",
            "source": {"kind": "folder", "folders": {"val": "tiny"}},
            "boxes": {"gt": {"kind": "ground_truth"}},
        }
    )
    write_json(layout.record(RecordKind.DATASET, "tiny"), dataset.model_dump(mode="json"))
    write_json(layout.record(RecordKind.PROTOCOL), PROTOCOL.model_dump(mode="json"))
    write_json(layout.record(RecordKind.BOOTSTRAP), Bootstrap(samples=10, seed=0).model_dump(mode="json"))
    annotations = load_annotations(tiny_dataset / "annotations.json", COCO_PERSON)
    write_boxes(ground_truth_boxes(annotations), layout.boxes(SETTING))
    persons = annotations.persons
    persons = persons.select(persons.is_labelled & ~persons.is_crowd)
    centres = persons.boxes_xywh[:, None, :2] + persons.boxes_xywh[:, None, 2:] / 2
    points = np.where(persons.keypoints[..., 2:] > 0, persons.keypoints[..., :2], centres)
    predicted = np.concatenate((points, np.ones((*points.shape[:2], 1))), axis=2)
    results = PoseResults(persons.image_ids, predicted, np.linspace(0.9, 0.5, len(persons)))
    for run, change in ((WITH, {}), (WITHOUT, {"encoder": None})):
        recipe = Recipe(name=run.variant, variant=small_variant("resnet", change), training=Training(device="cpu"))
        model = build_model(recipe.variant, len(COCO_PERSON))
        initialise(model, "kaiming", pretrained_backbone=False, generator=torch.Generator().manual_seed(0))
        save_weights(model, layout.train(run).weights, {})
        write_run(layout.train(run).record, recipe)
        write_results(results, layout.predictions(run, SETTING))
    return layout


def test_all_models_are_on_the_page_with_the_attention_of_their_own_keypoints(
    layout: ResultsLayout, tiny_dataset: Path
) -> None:
    annotations = tiny_dataset / "annotations.json"
    write_study_errors(layout, [WITH, WITHOUT], SETTING, annotations)
    html = layout.error_browser("tiny", "val").read_text()
    assert list(layout.error_images("tiny", "val").iterdir()) == []
    assert "<h1>Errors: tiny &amp; small, val, gt boxes</h1>" in html
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    cases = json.loads(text)["cases"]
    index, case = next((index, one) for index, one in enumerate(cases) if one["results"][0]["attention"])
    assert case["results"][1]["attention"] is None
    truth = load_annotations(annotations, COCO_PERSON)
    boxes = ground_truth_boxes(truth)
    boxes = boxes.select(boxes.annotation_ids == case["annotation"])
    model = load_for_attention_maps(layout.train(WITH), COCO_PERSON, PROTOCOL)
    crops = annotated_crops(truth, boxes, model)
    rows = truth.persons.annotation_ids == case["annotation"]
    keypoint = int(np.flatnonzero(truth.persons.keypoints[rows][0, :, 2])[0])
    assert crops.keypoints_xy is not None
    areas = model.cell_areas(torch.from_numpy(crops.crops[0]), crops.keypoints_xy[0]).rows[-1, 0]
    (packed,) = re.findall(rf'id="attention-0-{index}">(.*?)<', html)
    codes = unpack(base64.b64decode(packed), (17, model.grid.tokens))
    np.testing.assert_array_equal(codes[keypoint], COARSE.quantise(areas)[keypoint])


def test_exact_predictions_have_no_errors_and_only_their_scores_are_wrong(
    layout: ResultsLayout, tiny_dataset: Path
) -> None:
    write_study_errors(layout, [WITHOUT], SETTING, tiny_dataset / "annotations.json")
    (model,) = read_record(SplitErrors, layout.model_errors("tiny", "val")).models
    assert (model.variant, model.seed, model.boxes) == ("plain", 0, "gt")
    assert all(one.count == 0 for one in (*model.errors.keypoints.values(), *model.errors.predictions.values()))
    assert model.calibration.keypoints is not None
    assert model.calibration.keypoints.ece.value == 0  # scores of 1 at exact positions
    assert model.calibration.persons is not None
    assert model.calibration.persons.ece.value is not None
    assert model.calibration.persons.ece.value > 0
    figure = layout.figure("reliability", "tiny", "val")
    assert figure.is_file()
    assert figure.with_suffix(".svg").is_file()


def test_no_run_is_one_line(layout: ResultsLayout, tiny_dataset: Path) -> None:
    with pytest.raises(InputError, match="no trained model"):
        write_study_errors(layout, [], SETTING, tiny_dataset / "annotations.json")
