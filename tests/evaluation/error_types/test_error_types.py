"""Properties of the error types on scenes with crowds, unlabelled persons, ties and too many predictions."""

import numpy as np
import pytest

from tests.evaluation.hard_scenes import hard_scene
from tests.helpers.injected_errors import exact_scene
from transpose.config.bootstrap import Bootstrap
from transpose.data.coco import CocoAnnotations
from transpose.evaluation.error_types.groups import keypoint_groups, overlapping_persons
from transpose.evaluation.error_types.keypoints import KeypointClass
from transpose.evaluation.error_types.mended import APGains
from transpose.evaluation.error_types.predictions import PredictionClass
from transpose.evaluation.error_types.report import diagnose, error_types
from transpose.evaluation.error_types.scores import out_of_order
from transpose.evaluation.oks import evaluate_keypoints
from transpose.inference.poses import PoseResults
from transpose.skeleton import COCO_PERSON

BOOTSTRAP = Bootstrap(samples=10, seed=0)


@pytest.mark.parametrize("seed", range(30))
def test_everything_has_one_class(seed: int) -> None:
    annotations, results = hard_scene(seed)
    found = diagnose(annotations, results, COCO_PERSON)
    report = error_types(APGains.of(found, BOOTSTRAP), with_groups=True)
    metrics = evaluate_keypoints(annotations, results, COCO_PERSON)
    persons = annotations.persons
    counted = (persons.keypoints[..., 2] > 0) & ~persons.is_crowd[:, None]
    np.testing.assert_array_equal(found.keypoint_classes > 0, counted)
    assert report.good + sum(one.count for one in report.keypoints.values()) == counted.sum()
    of_predictions = report.correct + report.ignored + sum(one.count for one in report.predictions.values())
    assert of_predictions + report.beyond_limit == len(results)
    table = metrics.matches
    assert report.correct == (table.matched[:, 0] & ~table.ignored[:, 0]).sum()
    assert report.groups is not None
    for groups in report.groups.values():
        for kind in KeypointClass:
            total = sum(group.counts.get(kind.label, 0) for group in groups.values())
            assert kind == 0 or total == (found.keypoint_classes == kind).sum()


@pytest.mark.parametrize("seed", range(10))
def test_an_order_without_errors_gains_nothing(seed: int) -> None:
    annotations, results = hard_scene(seed)
    found = diagnose(annotations, results, COCO_PERSON)
    kept = found.assignment.results_of[found.prediction_classes == PredictionClass.CORRECT]
    best = found.assignment.assigned_oks[found.prediction_classes == PredictionClass.CORRECT]
    ordered = PoseResults(results.image_ids[kept], results.keypoints[kept], best)
    report = error_types(APGains.of(diagnose(annotations, ordered, COCO_PERSON), BOOTSTRAP), with_groups=False)
    assert report.scores["order"].count == 0
    assert report.scores["order"].value in (None, pytest.approx(0, abs=1e-12))


def test_the_fewest_scores_out_of_order() -> None:
    oks = np.array([0.96, 0.2, 0.96, 0.76, 0.61, 0.6])
    assert out_of_order(np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.5]), oks).tolist() == [False, True] + [False] * 4
    assert not out_of_order(np.array([0.5, 0.5]), np.array([0.1, 0.9])).any()
    assert out_of_order(np.zeros(0), np.zeros(0)).tolist() == []


def test_groups_of_keypoints() -> None:
    annotations = exact_scene(COCO_PERSON, images=1).annotations
    persons = annotations.persons
    persons.keypoints[0, 3:, 2] = 0
    persons.keypoints[1, 0, 2] = 1
    persons.areas[1] = 100.0
    persons.boxes_xywh[:] = [[0, 10, 100, 100], [20, 10, 100, 100]]
    groups = keypoint_groups(annotations, COCO_PERSON)
    labelled = persons.keypoints[..., 2] > 0

    def counts(kind: str) -> dict[str, int]:
        return {name: int((chosen & labelled).sum()) for name, chosen in groups[kind].items()}

    assert counts("keypoint") == {name: 2 if k < 3 else 1 for k, name in enumerate(COCO_PERSON.keypoints)}
    assert counts("visibility") == {"occluded": 1, "visible": 19}
    assert counts("size") == {"small": 17, "medium": 0, "large": 3}
    assert counts("overlapping persons") == {"0": 0, "1-2": 20, "3 or more": 0}
    assert counts("labelled keypoints") == {"1-4": 3, "5-8": 0, "9-12": 0, "13-17": 17}
    assert counts("image border") == {"touched": 3, "not touched": 17}


def test_images_of_unknown_size() -> None:
    annotations = exact_scene(COCO_PERSON, images=1).annotations
    annotations.images.sizes_hw[:] = 1
    border = keypoint_groups(annotations, COCO_PERSON)["image border"]
    assert border["unknown"].all()
    assert not border["touched"].any()


def test_overlaps_are_within_images(no_persons: CocoAnnotations) -> None:
    persons = exact_scene(COCO_PERSON, images=3).annotations.persons
    persons.boxes_xywh[:] = [0, 0, 10, 10]
    assert overlapping_persons(persons).tolist() == [1] * 6
    assert overlapping_persons(no_persons.persons).tolist() == []


@pytest.fixture
def no_persons() -> CocoAnnotations:
    annotations, _ = hard_scene(0)
    scene = exact_scene(COCO_PERSON, images=1).annotations
    return CocoAnnotations(annotations.source, scene.images, scene.persons.select(np.zeros(2, dtype=bool)))
