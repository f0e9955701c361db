import numpy as np
import pytest

from transpose.data.coco import load_annotations
from transpose.evaluation import matching
from transpose.evaluation.matching import MAX_DETECTIONS, match_greedily, pair_up, squared_errors
from transpose.evaluation.oks import evaluate_keypoints
from transpose.evaluation.results import PoseResults
from transpose.skeleton import COCO


def whole_person_matches(scene):
    """Matches by the OKS of all joints."""
    annotations = load_annotations(scene.annotation_path, COCO)
    persons = annotations.persons
    pairs = pair_up(annotations.images.ids, persons, scene.results)
    to_joint, to_box = squared_errors(pairs, persons, scene.results, COCO.oks_sigmas)
    labelled = persons.keypoints[:, :, 2] > 0
    anybody = labelled.any(axis=1)
    counted = np.where(anybody.take(pairs.person)[:, None], labelled[pairs.person], True)
    terms = np.exp(-np.where(anybody.take(pairs.person)[:, None], to_joint, to_box) / 2)
    similarity = (terms * counted).sum(axis=1) / counted.sum(axis=1)
    ignored = (~anybody | persons.is_crowd)[:, None]
    return pairs, *match_greedily(pairs, similarity[:, None], ignored, persons.is_crowd)


@pytest.mark.parametrize("cells", [1, 200_000])
@pytest.mark.parametrize("seed", [10, 11])
def test_matches_are_the_official_evaluators(seed, cells, make_scene, monkeypatch):
    monkeypatch.setattr(matching, "_CELLS_AT_ONCE", cells)
    scene = make_scene(seed, images=40)
    official = evaluate_keypoints(load_annotations(scene.annotation_path, COCO), scene.results, COCO).matches
    pairs, matched, on_ignored = whole_person_matches(scene)
    np.testing.assert_array_equal(pairs.image_ids, official.image_ids)
    np.testing.assert_array_equal(pairs.detection_images, official.images)
    np.testing.assert_array_equal(scene.results.scores[pairs.detections], official.scores)
    np.testing.assert_array_equal(matched[:, 0], official.matched)
    np.testing.assert_array_equal(on_ignored[:, 0], official.ignored)
    assert official.ignored.any()


def test_only_the_best_scored_of_an_image_count(make_scene):
    scene = make_scene(seed=12, images=2)
    image_id = scene.content["annotations"][0]["image_id"]
    crowded = PoseResults(np.full(50, image_id), np.zeros((50, 17, 3)), np.linspace(0, 1, 50))
    annotations = load_annotations(scene.annotation_path, COCO)
    pairs = pair_up(annotations.images.ids, annotations.persons, crowded)
    assert pairs.detections.tolist() == list(range(49, 49 - MAX_DETECTIONS, -1))
