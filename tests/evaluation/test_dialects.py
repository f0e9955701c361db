"""Results files as four tools write them have the same metrics, without any edits."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.injected_errors import Scene, exact_scene
from transpose.config.bootstrap import Bootstrap
from transpose.evaluation.external_annotations import AnnotatedKeypoints
from transpose.evaluation.external_evaluation import evaluate_results
from transpose.evaluation.results_comparison import compare_results
from transpose.skeleton import COCO_PERSON

BOOTSTRAP = Bootstrap(samples=10, seed=0)
Record = dict[str, Any]


def mmpose(number: int, record: Record) -> Record:
    """`CocoMetric.results2json`: an id of the prediction, keypoints in a flat list."""
    return {"id": number, **record}


def ultralytics(number: int, record: Record) -> Record:
    """`PoseValidator.pred_to_json`: file name, box and rounded score; ids are stems of file names as numbers."""
    box = [10.0, 20.0, 30.5, 40.25]
    return {**record, "file_name": f"{record['image_id']}.jpg", "bbox": box, "score": round(record["score"], 5)}


def detectron2(number: int, record: Record) -> Record:
    """`instances_to_coco_json`: keypoint scores are logits."""
    keypoints = [3 + value if k % 3 == 2 else value for k, value in enumerate(record["keypoints"])]
    return {**record, "bbox": [10.0, 20.0, 30.5, 40.25], "keypoints": keypoints}


def official(number: int, record: Record) -> Record:
    """`_coco_keypoint_results_one_category_kernel` of HRNet and TransPose: centre and scale of the crop."""
    return {**record, "center": [100.0, 120.5], "scale": [1.2, 1.6]}


DIALECTS = [mmpose, ultralytics, detectron2, official]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    scene = exact_scene(COCO_PERSON).missed(3, 1).missed(3, 2).jittered(4, 5).swapped(6, 7).inverted(8, 9)
    (tmp_path / "gt.json").write_text(json.dumps(scene.annotations.to_coco()))
    (tmp_path / "plain.json").write_text(json.dumps(scene.results.to_coco()))
    return scene


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_has_the_metrics_of_plain_results(
    scene: Scene, tmp_path: Path, dialect: Callable[[int, Record], Record]
) -> None:
    records = [dialect(number, record) for number, record in enumerate(scene.results.to_coco())]
    (tmp_path / "results.json").write_text(json.dumps(records))
    plain, found = (
        evaluate_results(tmp_path / name, tmp_path / "gt.json", AnnotatedKeypoints(), BOOTSTRAP)
        for name in ("plain.json", "results.json")
    )
    assert found.metrics == plain.metrics
    assert found.errors == plain.errors
    assert (found.predictions_derived, found.predictions_left_out) == ({}, {})
    assert ("keypoint scores are not in [0, 1]" in found.calibration.notes) == (dialect is detectron2)
    assert found.calibration.persons == plain.calibration.persons or dialect is ultralytics


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_is_compared(scene: Scene, tmp_path: Path, dialect: Callable[[int, Record], Record]) -> None:
    records = [dialect(number, record) for number, record in enumerate(scene.results.to_coco())]
    (tmp_path / "results.json").write_text(json.dumps(records))
    files = tmp_path / "plain.json", tmp_path / "results.json"
    found = compare_results(files, tmp_path / "gt.json", AnnotatedKeypoints(), BOOTSTRAP)
    assert found.metrics["AP"].value == 0


def test_detections_of_other_classes_are_left_out(scene: Scene, tmp_path: Path) -> None:
    """Detectron2 and Ultralytics can write several classes into one file."""
    car = {"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4], "score": 0.9}
    (tmp_path / "results.json").write_text(json.dumps([car, *scene.results.to_coco()]))
    found = evaluate_results(tmp_path / "results.json", tmp_path / "gt.json", AnnotatedKeypoints(), BOOTSTRAP)
    assert found.predictions_left_out == {"other_category": 1}
    assert found.predictions == 20
