"""The text of an evaluation has every figure, and only the counts that are not zero."""

import pytest

from tests.helpers.injected_errors import exact_scene
from transpose.config.bootstrap import Bootstrap
from transpose.evaluation.calibration import calibrate
from transpose.evaluation.crowding import SubsetAP
from transpose.evaluation.error_types.mended import APGains
from transpose.evaluation.error_types.report import diagnose, error_types
from transpose.evaluation.external_evaluation import ExternalReport
from transpose.evaluation.keypoint_parts import PartMetrics
from transpose.evaluation.matches import STATISTICS
from transpose.evaluation.report import ReferenceCheck
from transpose.reporting.evaluation_text import render_evaluation
from transpose.skeleton import COCO_PERSON


@pytest.fixture
def report() -> ExternalReport:
    scene = exact_scene(COCO_PERSON, images=2)
    gains = APGains.of(diagnose(scene.annotations, scene.results, COCO_PERSON), Bootstrap(samples=2, seed=0))
    return ExternalReport(
        skeleton="coco",
        subset=False,
        images_without_predictions=0,
        errors=error_types(gains, with_groups=False),
        calibration=calibrate(gains, has_keypoint_scores=True),
        metrics={name: 0.5 + k / 100 for k, name in enumerate(STATISTICS)} | {"APM": -1.0},
        images=5000,
        persons=6352,
        predictions=104125,
        keypoints=(),
        interval=(0.49, 0.515),
        bootstrap=Bootstrap(samples=1000, seed=0),
        reference_check=ReferenceCheck(evaluators=("pycocotools", "hotcoco"), max_abs_difference=0),
        crowding=None,
        parts=None,
        annotations_derived={"area": 4},
        annotations_left_out={},
        predictions_derived={},
        predictions_left_out={"unknown_image": 2},
        annotations_sha256="a",
        predictions_sha256="b",
    )


def test_figures_are_in_percent_with_the_interval_of_ap(report: ExternalReport) -> None:
    assert render_evaluation(report).splitlines() == [
        "5,000 images, 6,352 persons with labelled keypoints, 104,125 predictions",
        "AP    50.00  [49.00, 51.50]: 95% interval, bootstrap over images (1,000 samples)",
        "AP50  51.00",
        "AP75  52.00",
        "APM       -",
        "APL   54.00",
        "AR    55.00",
        "AR50  56.00",
        "AR75  57.00",
        "ARM   58.00",
        "ARL   59.00",
        "agreed: pycocotools, hotcoco",
        "annotations, derived: area 4",
        "predictions, left out: unknown image 2",
    ]


def test_images_without_predictions_and_subsets_are_named(report: ExternalReport) -> None:
    lines = render_evaluation(report.model_copy(update={"images_without_predictions": 1200})).splitlines()
    assert lines[1] == "1,200 images with persons have no prediction"
    lines = render_evaluation(report.model_copy(update={"subset": True})).splitlines()
    assert lines[1] == "a subset: only the images with a prediction"


def test_predictions_that_an_evaluator_leaves_out_are_counted(report: ExternalReport) -> None:
    check = ReferenceCheck(
        evaluators=("pycocotools", "xtcocotools"), max_abs_difference=0, left_out={"xtcocotools": 1200}
    )
    lines = render_evaluation(report.model_copy(update={"reference_check": check})).splitlines()
    assert lines[11:13] == [
        "agreed: pycocotools, xtcocotools",
        "xtcocotools leaves out 1,200 predictions without a keypoint score above 0",
    ]


def test_subsets_by_crowd_index_follow(report: ExternalReport) -> None:
    crowding = {"easy": SubsetAP(images=1200, ap=0.75), "hard": SubsetAP(images=0, ap=-1)}
    lines = render_evaluation(report.model_copy(update={"crowding": crowding})).splitlines()
    assert lines[11:13] == [
        "AP, easy (1,200 images by crowd index): 75.00",
        "AP, hard (0 images by crowd index): -",
    ]


def test_parts_of_the_keypoints_follow(report: ExternalReport) -> None:
    parts = {
        "keypoints": PartMetrics(keypoints=17, persons=6352, ap=0.75, ar=0.8),
        "foot_kpts": PartMetrics(keypoints=6, persons=0, ap=-1, ar=-1),
    }
    lines = render_evaluation(report.model_copy(update={"parts": parts})).splitlines()
    assert lines[11:13] == [
        "AP, AR of keypoints (17 keypoints, 6,352 persons): 75.00, 80.00",
        "AP, AR of foot_kpts (6 keypoints, 0 persons): -, -",
    ]
