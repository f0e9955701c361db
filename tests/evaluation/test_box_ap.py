"""AP of person boxes: counted by hand, and with pycocotools' own readers."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pycocotools.coco as pycoco
import pycocotools.cocoeval as pycocoeval
import pytest

from transpose.config.dataset import Dataset
from transpose.config.load import read_record
from transpose.config.study import EvalSetting
from transpose.data.boxes import PersonBoxes, write_boxes
from transpose.data.coco import CocoAnnotations, load_annotations
from transpose.errors import InputError
from transpose.evaluation.box_ap import STATISTICS, BoxReport, evaluate_person_boxes, write_box_metrics
from transpose.files import sha256_of_file, write_json
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import RecordKind, ResultsLayout

WHOLE = [0.0, 0.0, 100.0, 100.0]
DATASET = Dataset.model_validate(
    {
        "title": "toys",
        "source": {"kind": "folder", "folders": {"val": "toy"}},
        "boxes": {"found": {"kind": "detections", "files": {"val": "d.json"}}},
    }
)
SETTING = EvalSetting("toy", "val", "found")


def results_with_data_set(folder: Path) -> ResultsLayout:
    layout = ResultsLayout(folder)
    write_json(layout.record(RecordKind.DATASET, SETTING.dataset), DATASET.model_dump(mode="json"))
    return layout


def person_boxes(*rows: tuple[int, list[float], float]) -> PersonBoxes:
    """Boxes of (image, x y w h, score)."""
    return PersonBoxes(
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([row[1] for row in rows], dtype=np.float64).reshape(-1, 4),
        np.array([row[2] for row in rows], dtype=np.float64),
        np.full(len(rows), -1),
    )


@pytest.fixture
def annotate(tmp_path: Path) -> Callable[..., CocoAnnotations]:
    """Annotations of persons without keypoints in images 1 and 2, from (image, x y w h, is crowd)."""

    def make(*rows: tuple[int, list[float], int]) -> CocoAnnotations:
        content = {
            "images": [{"id": i, "file_name": f"{i}.jpg", "height": 200, "width": 200} for i in (1, 2)],
            "categories": [{"id": 1, "name": "person"}],
            "annotations": [
                {
                    "id": number,
                    "image_id": image_id,
                    "category_id": 1,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": crowd,
                    "keypoints": [0] * 51,
                    "num_keypoints": 0,
                }
                for number, (image_id, box, crowd) in enumerate(rows)
            ],
        }
        write_json(tmp_path / "annotations.json", content)
        return load_annotations(tmp_path / "annotations.json", COCO_PERSON)

    return make


class TestByHand:
    """One or two persons of 100 x 100 pixels."""

    def test_exact_boxes_are_perfect_without_keypoints_and_with_an_annotation_id_of_zero(self, annotate):
        metrics = evaluate_person_boxes(
            annotate((1, WHOLE, 0), (2, WHOLE, 0)), person_boxes((1, WHOLE, 0.9), (2, WHOLE, 0.1))
        )
        assert metrics.statistics["AP"] == pytest.approx(1)
        assert metrics.statistics["AR"] == pytest.approx(1)
        assert metrics.statistics["APS"] == -1
        assert metrics.persons == 2

    def test_an_overlap_counts_at_the_thresholds_that_it_reaches(self, annotate):
        # 72 of 100 columns: found at IoU 0.50, 0.55, 0.60, 0.65 and 0.70, half of the ten thresholds.
        metrics = evaluate_person_boxes(annotate((1, WHOLE, 0)), person_boxes((1, [0, 0, 72, 100], 0.5)))
        assert metrics.statistics["AP"] == pytest.approx(0.5)
        assert (metrics.statistics["AP50"], metrics.statistics["AP75"]) == (pytest.approx(1), 0)

    def test_one_of_two_found_is_the_recall_up_to_a_half(self, annotate):
        # Dtype is 1 at the recalls 0, 0.01, ..., 0.50, which are 51 of 101.
        found = person_boxes((1, WHOLE, 0.5))
        metrics = evaluate_person_boxes(annotate((1, WHOLE, 0), (2, WHOLE, 0)), found)
        assert metrics.statistics["AP"] == pytest.approx(51 / 101)
        assert metrics.statistics["AR"] == pytest.approx(0.5)

    def test_a_better_scored_wrong_box_halves_the_precision(self, annotate):
        boxes = person_boxes((1, WHOLE, 0.5), (2, WHOLE, 0.9))
        metrics = evaluate_person_boxes(annotate((1, WHOLE, 0)), boxes)
        assert metrics.statistics["AP"] == pytest.approx(0.5)

    def test_a_crowd_neither_counts_nor_makes_boxes_wrong(self, annotate):
        truth = annotate((1, WHOLE, 0), (2, WHOLE, 1))
        boxes = person_boxes((1, WHOLE, 0.5), (2, [10, 10, 50, 50], 0.9), (2, [40, 40, 20, 30], 0.8))
        metrics = evaluate_person_boxes(truth, boxes)
        assert metrics.statistics["AP"] == pytest.approx(1)
        assert metrics.persons == 1

    def test_only_the_best_hundred_of_an_image_count(self, annotate):
        wrong = [(1, [150.0, 150.0, 10.0, 10.0], 0.9)] * 100
        metrics = evaluate_person_boxes(annotate((1, WHOLE, 0)), person_boxes(*wrong, (1, WHOLE, 0.5)))
        assert metrics.statistics["AP"] == 0

    def test_no_boxes_and_no_persons(self, annotate):
        assert evaluate_person_boxes(annotate((1, WHOLE, 0)), person_boxes()).statistics["AP"] == 0
        assert evaluate_person_boxes(annotate(), person_boxes((1, WHOLE, 0.9))).statistics["AP"] == -1

    def test_a_box_of_an_unknown_image_is_reported(self, annotate):
        with pytest.raises(InputError, match="box 1 is in image 3, which is not in this file"):
            evaluate_person_boxes(annotate(), person_boxes((1, WHOLE, 1), (3, WHOLE, 1)))


def made_up_boxes(content: dict[str, Any], seed: int) -> PersonBoxes:
    """Boxes near persons, some of them double, and boxes without person; scores have two digits, so many are equal."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in content["annotations"]:
        for _ in range(rng.integers(0, 3)):
            box = np.array(person["bbox"])
            box += rng.normal(0, rng.uniform(0, 0.15), 4) * np.tile(box[2:], 2)
            rows.append((person["image_id"], np.maximum(box, [-99, -99, 1, 1]).tolist(), round(rng.random(), 2)))
    empty = [(image["id"], rng.uniform(1, 200, 4).tolist(), round(rng.random() / 2, 2)) for image in content["images"]]
    return person_boxes(*rows, *empty)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_is_what_pycocotools_gives_on_files(seed: int, make_scene, tmp_path: Path):
    scene = make_scene(seed)
    boxes = made_up_boxes(scene.content, seed)
    write_boxes(boxes, tmp_path / "boxes.json")
    # A match with the annotation of number 0 would count as none.
    annotations = [person | {"id": person["id"] + 1} for person in scene.content["annotations"]]
    (tmp_path / "numbered.json").write_text(json.dumps(scene.content | {"annotations": annotations}))
    truth = pycoco.COCO(str(tmp_path / "numbered.json"))
    evaluator = pycocoeval.COCOeval(truth, truth.loadRes(str(tmp_path / "boxes.json")), "bbox")
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    expected = dict(zip(STATISTICS, evaluator.stats.tolist(), strict=True))
    metrics = evaluate_person_boxes(load_annotations(scene.annotation_path, COCO_PERSON), boxes)
    assert metrics.statistics == expected
    assert 0.1 < metrics.statistics["AP"] < 0.9


def test_the_file_names_what_was_evaluated_with_digests(make_scene, tmp_path: Path):
    scene = make_scene(1)
    boxes, layout = made_up_boxes(scene.content, 1), results_with_data_set(tmp_path)
    path = layout.boxes(SETTING)
    write_boxes(boxes, path)
    write_box_metrics(layout, SETTING, scene.annotation_path)
    report = read_record(BoxReport, layout.box_metrics(SETTING))
    assert (report.dataset, report.split, report.boxes, report.boxes_kind) == ("toy", "val", "found", "detections")
    assert (report.box_count, report.images) == (len(boxes), 30)
    assert (
        report.metrics == evaluate_person_boxes(load_annotations(scene.annotation_path, COCO_PERSON), boxes).statistics
    )
    assert report.boxes_sha256 == sha256_of_file(path)
    assert report.annotations_sha256 == sha256_of_file(scene.annotation_path)


def test_a_file_of_another_source_is_refused(make_scene, tmp_path: Path):
    layout, other = results_with_data_set(tmp_path), SETTING._replace(boxes="other")
    write_boxes(person_boxes(), layout.boxes(other))
    with pytest.raises(InputError, match="no box source 'other'; known are found"):
        write_box_metrics(layout, other, make_scene().annotation_path)
    assert not layout.box_metrics(other).exists()
