"""Predictions that are degraded in three stated ways: each is named with its number, and nothing else is."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.injected_errors import SKELETONS, Scene, exact_scene
from transpose.config.bootstrap import Bootstrap
from transpose.evaluation.external_annotations import AnnotatedKeypoints
from transpose.evaluation.external_evaluation import ExternalReport, evaluate_results
from transpose.evaluation.oks import evaluate_keypoints
from transpose.skeleton import Skeleton

IMAGES, PERSONS = 30, 60

pytestmark = pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda skeleton: skeleton.name)


def predictions(skeleton: Skeleton) -> Scene:
    """Predictions whose OKS falls from 1 to 0.87 with their scores, without any keypoint error."""
    scene = exact_scene(skeleton, IMAGES)
    similarity = np.linspace(1, 0.87, PERSONS)[:, None]
    deviations = np.sqrt(scene.annotations.persons.areas)[:, None] * 2 * skeleton.oks_sigmas
    keypoints = scene.results.keypoints.copy()
    keypoints[..., 0] += deviations * np.sqrt(-2 * np.log(similarity))
    keypoints[..., 2] = similarity
    return replace(scene, results=replace(scene.results, keypoints=keypoints, scores=similarity[:, 0]))


def evaluated(scene: Scene, folder: Path) -> ExternalReport:
    (folder / "results.json").write_text(json.dumps(scene.results.to_coco()))
    (folder / "gt.json").write_text(json.dumps(scene.annotations.to_coco()))
    of = AnnotatedKeypoints(scene.skeleton)
    return evaluate_results(folder / "results.json", folder / "gt.json", of, Bootstrap(samples=20, seed=0))


def keypoint_errors(report: ExternalReport) -> dict[str, int]:
    return {name: one.count for name, one in report.errors.keypoints.items() if one.count}


def test_the_untouched_file_has_the_metrics_to_the_last_digit(skeleton: Skeleton, tmp_path: Path) -> None:
    scene = predictions(skeleton)
    report = evaluated(scene, tmp_path)
    assert report.metrics == evaluate_keypoints(scene.annotations, scene.results, skeleton).statistics
    assert keypoint_errors(report) == {}
    assert report.errors.scores["order"].count == 0
    assert report.calibration.persons is not None
    assert report.calibration.persons.ece.value == pytest.approx(0, abs=1e-9)


def test_a_tenth_of_the_keypoints_is_jittered(skeleton: Skeleton, tmp_path: Path) -> None:
    scene, count = predictions(skeleton), PERSONS * len(skeleton) // 10
    for position in np.random.default_rng(0).permutation(PERSONS * len(skeleton))[:count].tolist():
        scene = scene.jittered(*divmod(position, len(skeleton)))
    report = evaluated(scene, tmp_path)
    assert keypoint_errors(report) == {"jitter": count}
    gain = report.errors.keypoints["jitter"].value
    assert gain is not None
    assert gain > 0


def test_left_and_right_are_exchanged_in_a_tenth_of_the_persons(skeleton: Skeleton, tmp_path: Path) -> None:
    scene, count = predictions(skeleton), PERSONS // 10
    for person in np.random.default_rng(0).permutation(PERSONS)[:count].tolist():
        keypoints = scene.results.keypoints.copy()
        keypoints[person] = keypoints[person, skeleton.flip_permutation]
        scene = replace(scene, results=replace(scene.results, keypoints=keypoints))
    report = evaluated(scene, tmp_path)
    assert keypoint_errors(report) == {"inversion": count * 2 * len(skeleton.flip_pairs)}
    assert {name: one.count for name, one in report.errors.predictions.items() if one.count} == {"localisation": count}
    for gain in (report.errors.keypoints["inversion"].value, report.errors.predictions["localisation"].value):
        assert gain is not None
        assert gain > 0.05


def test_shuffled_scores(skeleton: Skeleton, tmp_path: Path) -> None:
    scene = predictions(skeleton)
    scene.results.scores[:] = np.random.default_rng(0).permutation(scene.results.scores)
    report = evaluated(scene, tmp_path)
    assert keypoint_errors(report) == {}
    order = report.errors.scores["order"]
    assert order.count > 0
    assert order.value is not None
    assert order.value > 0
    assert report.calibration.persons is not None
    error = report.calibration.persons.ece.value
    assert error is not None
    assert 1e-3 < error < 0.1
