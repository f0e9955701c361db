"""Predictions become scored persons, each of them once."""

from pathlib import Path

import numpy as np
import pytest

from transpose.config.study import EvalProtocol
from transpose.data.boxes import PersonBoxes
from transpose.data.coco import CocoAnnotations, ImageTable, PersonInstances
from transpose.evaluation.oks import evaluate_keypoints
from transpose.evaluation.reference_evaluators import pycocotools_metrics
from transpose.inference.predictions import Predictions, finish_predictions
from transpose.skeleton import COCO_PERSON


def test_finished_predictions_are_rescored_and_single():
    keypoints = np.repeat(np.array([10.0, 11, 200, 10])[:, None, None], 17, axis=1).repeat(2, axis=2)
    predictions = Predictions(keypoints, np.full((4, 17), 0.5), np.full(4, 1e4))
    boxes = PersonBoxes(np.array([2, 2, 2, 1]), np.zeros((4, 4)), np.array([0.8, 1.0, 0.6, 0.9]), np.full(4, -1))
    results = finish_predictions(predictions, boxes, EvalProtocol(), COCO_PERSON)
    assert results.image_ids.tolist() == [1, 2, 2]
    assert results.scores.tolist() == pytest.approx([0.45, 0.5, 0.3])
    assert results.keypoints[:, 0].tolist() == [[10, 10, 0.5], [11, 11, 0.5], [200, 200, 0.5]]


def test_equal_scores_are_evaluated_in_the_official_order():
    """The official results file has an image's persons in reversed order of equal scores, and the first one counts."""
    right = np.random.default_rng(0).uniform(0, 100, (1, 17, 2))
    predictions = Predictions(np.concatenate((right, right + 30)), np.full((2, 17), 0.5), np.full(2, 1e4))
    boxes = PersonBoxes(np.full(2, 5), np.zeros((2, 4)), np.ones(2), np.full(2, -1))
    person = PersonInstances(
        image_ids=np.array([5]),
        annotation_ids=np.array([1]),
        boxes_xywh=np.array([[0.0, 0, 100, 100]]),
        keypoints=np.concatenate((right, np.full((1, 17, 1), 2)), axis=2),
        areas=np.array([1e4]),
        is_crowd=np.array([False]),
    )
    images = ImageTable(np.array([5]), ["5.jpg"], np.array([[200, 200]], dtype=np.int32))
    truth = CocoAnnotations(Path("annotations.json"), images, person)
    results = finish_predictions(predictions, boxes, EvalProtocol(), COCO_PERSON)
    assert results.keypoints[:, :, :2].tolist() == [(right + 30)[0].tolist(), right[0].tolist()]
    metrics = evaluate_keypoints(truth, results, COCO_PERSON).statistics
    assert metrics["AP"] == pytest.approx(0.5)
    assert pycocotools_metrics(truth, results, COCO_PERSON) == pytest.approx(metrics)


def test_without_suppression_every_box_keeps_its_prediction_and_its_person():
    predictions = Predictions(np.full((3, 17, 2), 10.0), np.full((3, 17), 0.5), np.full(3, 1e4))
    boxes = PersonBoxes(np.array([2, 2, 1]), np.zeros((3, 4)), np.array([0.8, 1.0, 0.9]), np.array([7, 8, 9]))
    results = finish_predictions(predictions, boxes, EvalProtocol(), COCO_PERSON, suppress=False)
    assert results.image_ids.tolist() == [1, 2, 2]
    assert results.annotation_ids is not None
    assert results.annotation_ids.tolist() == [9, 8, 7]


@pytest.mark.parametrize(
    ("score", "expected"),
    [("box_times_keypoints", [0.45, 0.5, 0.4, 0.3]), ("keypoints", [0.5] * 4), ("box", [0.9, 1.0, 0.8, 0.6])],
)
def test_without_suppression_everybody_stays_in_the_order_of_the_chosen_score(score, expected):
    keypoints = np.repeat(np.array([10.0, 11, 200, 10])[:, None, None], 17, axis=1).repeat(2, axis=2)
    predictions = Predictions(keypoints, np.full((4, 17), 0.5), np.full(4, 1e4))
    boxes = PersonBoxes(np.array([2, 2, 2, 1]), np.zeros((4, 4)), np.array([0.8, 1.0, 0.6, 0.9]), np.full(4, -1))
    results = finish_predictions(predictions, boxes, EvalProtocol(nms_threshold=None, score=score), COCO_PERSON)
    assert results.image_ids.tolist() == [1, 2, 2, 2]
    assert results.scores.tolist() == pytest.approx(expected)
