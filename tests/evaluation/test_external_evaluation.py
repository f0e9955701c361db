"""Results files without records have the metrics of the pipeline, the official code and the reference evaluators."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.torso_data import TORSO, torso_content
from transpose.config.bootstrap import Bootstrap
from transpose.data.coco import load_annotations
from transpose.evaluation.bootstrap import bootstrap_interval
from transpose.evaluation.external_annotations import AnnotatedKeypoints
from transpose.evaluation.external_evaluation import ExternalReport, evaluate_results
from transpose.evaluation.oks import evaluate_keypoints
from transpose.evaluation.per_keypoint import per_keypoint_metrics
from transpose.evaluation.results import write_results
from transpose.skeleton import COCO_PERSON

BOOTSTRAP = Bootstrap(samples=50, seed=0)


def evaluate(results: Path, annotations: Path) -> ExternalReport:
    return evaluate_results(results, annotations, AnnotatedKeypoints(), BOOTSTRAP)


def test_they_are_the_metrics_of_the_pipeline(make_scene: Callable[..., Any], tmp_path: Path) -> None:
    scene = make_scene(seed=2)
    write_results(scene.results, tmp_path / "results.json")
    found = evaluate(tmp_path / "results.json", scene.annotation_path)
    truth = load_annotations(scene.annotation_path, COCO_PERSON)
    expected = evaluate_keypoints(truth, scene.results, COCO_PERSON)
    assert found.metrics == expected.statistics
    assert (found.images, found.persons, found.predictions) == (
        expected.images,
        expected.persons,
        expected.predictions,
    )
    assert found.interval == bootstrap_interval(expected.matches, BOOTSTRAP.samples, BOOTSTRAP.seed)
    assert found.keypoints == per_keypoint_metrics(truth, scene.results, COCO_PERSON)
    assert "pycocotools" in found.reference_check.evaluators
    assert found.crowding is None


def without_sizes(content: Any) -> None:
    for image in content["images"]:
        del image["height"], image["width"]


def absolute_names(content: Any) -> None:
    for image in content["images"]:
        image["file_name"] = f"C:\\data\\{image['file_name']}"


def text_ids(content: Any) -> None:
    for image in content["images"]:
        image["id"] = f"image-{image['id']}"
    for person in content["annotations"]:
        person["image_id"] = f"image-{person['image_id']}"


@pytest.mark.parametrize("edit", [without_sizes, absolute_names, text_ids])
def test_other_forms_of_annotations_have_the_same_metrics(
    make_scene: Callable[..., Any], tmp_path: Path, edit: Callable[[Any], object]
) -> None:
    scene = make_scene(seed=4)
    results = tmp_path / "results.json"
    write_results(scene.results, results)
    expected = evaluate(results, scene.annotation_path)
    edit(scene.content)
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(scene.content))
    if edit is text_ids:
        records = json.loads(results.read_text())
        results.write_text(json.dumps([r | {"image_id": f"image-{r['image_id']}"} for r in records]))
    found = evaluate(results, changed)
    assert found.metrics == expected.metrics
    assert found.reference_check.evaluators == expected.reference_check.evaluators


def test_they_are_the_metrics_of_the_official_code(reference_dir: Path, tmp_path: Path) -> None:
    path = reference_dir / "evaluation_predictions.json"
    if not path.is_file():
        pytest.skip(f"no {path.name} in {reference_dir}")
    golden = json.loads(path.read_text())
    persons = [
        {key: golden["predictions"][position][key] for key in ("image_id", "keypoints")}
        | {"score": golden["rescored"][position]}
        for position in golden["keep"]
    ]
    (tmp_path / "results.json").write_text(json.dumps(persons))
    found = evaluate(tmp_path / "results.json", reference_dir / "evaluation_gt.json")
    assert found.metrics == pytest.approx(golden["stats"], abs=1e-9)


def test_what_was_derived_or_left_out_is_counted(tmp_path: Path) -> None:
    content = torso_content()
    persons = content["annotations"]
    for person in persons:
        del person["area"], person["iscrowd"]
    content["categories"].append({"id": 7, "name": "car"})
    persons.append({"id": 99, "image_id": 1, "category_id": 7, "bbox": [0, 0, 5, 5]})
    results = [{"image_id": p["image_id"], "keypoints": p["keypoints"]} for p in persons[:4]]
    (tmp_path / "gt.json").write_text(json.dumps(content))
    (tmp_path / "results.json").write_text(json.dumps([*results, results[0] | {"image_id": 5}]))
    found = evaluate_results(tmp_path / "results.json", tmp_path / "gt.json", AnnotatedKeypoints(TORSO), BOOTSTRAP)
    assert found.metrics["AP"] == pytest.approx(1)
    assert found.annotations_derived == {"area": 4, "area_from_box": 4, "iscrowd": 4}
    assert found.annotations_left_out == {"other_category": 1}
    assert found.predictions_derived == {"score from keypoints": 4}
    assert found.predictions_left_out == {"unknown_image": 1}
