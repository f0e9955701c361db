"""The ten figures that mmpose's own test of its COCO metric expects, of the same four images.

Expected values: `test_topdown_alignment` of `test_coco_metric.py` in mmpose (OpenMMLab, Apache License 2.0).
Annotations: four images of COCO val2017 (CC BY 4.0), without outlines. Equal scores within an image decide AP here.
"""

from pathlib import Path

import numpy as np
import pytest

from transpose.data.coco import load_annotations
from transpose.evaluation.matches import STATISTICS
from transpose.evaluation.oks import evaluate_keypoints
from transpose.inference.nms import oks_nms, rescore
from transpose.inference.poses import PoseResults
from transpose.skeleton import COCO_PERSON

FOUR_IMAGES = Path(__file__).parent / "data" / "coco_four_images.json"

RECALL = [0.5833333333333333, 0.9166666666666666, 0.5833333333333334, 0.44000000000000006, 0.6857142857142857]
RESCORED = [0.5287458745874587, 0.9042904290429042, 0.5009900990099009, 0.42475247524752474, 0.6219554455445544]
MEAN_AND_LARGEST = [0.5004950495049505, 0.8836633663366337, 0.4679867986798679, 0.42475247524752474, 0.5814108910891089]


def by_the_protocol(box_scores: np.ndarray, keypoint_scores: np.ndarray) -> np.ndarray:
    return rescore(box_scores, keypoint_scores, 0.2)


def by_mean_and_largest(box_scores: np.ndarray, keypoint_scores: np.ndarray) -> np.ndarray:
    return box_scores + keypoint_scores.mean(axis=1) + keypoint_scores.max(axis=1)


@pytest.mark.parametrize(
    ("score", "expected"), [(by_the_protocol, RESCORED + RECALL), (by_mean_and_largest, MEAN_AND_LARGEST + RECALL)]
)
def test_the_figures_are_those_of_mmpose(score, expected):
    annotations = load_annotations(FOUR_IMAGES, COCO_PERSON)
    persons = annotations.persons
    order = np.argsort(persons.annotation_ids)
    truth, boxes, images = persons.keypoints[order], persons.boxes_xywh[order], persons.image_ids[order]
    keypoints = truth.astype(np.float32) * np.array([0.98, 1.02, 0.8], dtype=np.float32)
    scores = score(np.full(len(truth), 0.98, dtype=np.float32), keypoints[:, :, 2])
    areas = np.prod(boxes[:, 2:] * 1.25, axis=1)
    kept = oks_nms(keypoints[:, :, :2], scores, areas, images, COCO_PERSON.oks_sigmas, 0.9)
    results = PoseResults(images[kept], keypoints[kept].astype(float), scores[kept].astype(float))
    figures = evaluate_keypoints(annotations, results, COCO_PERSON).statistics
    np.testing.assert_allclose([figures[name] for name in STATISTICS], expected, rtol=0, atol=1e-9)
