"""Extended OKS: each of its four cases by hand, and AP of exact and of invented keypoints."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.injected_errors import AREA, Scene, exact_scene
from transpose.config.bootstrap import Bootstrap
from transpose.data.coco import CocoAnnotations
from transpose.errors import InputError
from transpose.evaluation.extended_oks import extended_ap, extended_similarities, inside, known_keypoints, windows
from transpose.evaluation.matching import pair_up
from transpose.evaluation.oks import evaluate_keypoints
from transpose.skeleton import COCO_PERSON

BOOTSTRAP = Bootstrap(samples=20, seed=0)
FAR = np.array([5000.0, 40.0])


def with_keypoint_outside(scene: Scene, path: Path, fields: bool = True) -> CocoAnnotations:
    """Annotations on disk: the first keypoint of all persons is not labelled, and far outside of the image."""
    keypoints = scene.annotations.persons.keypoints.copy()
    keypoints[:, 0] = 0
    annotations = replace(
        scene.annotations, source=path, persons=replace(scene.annotations.persons, keypoints=keypoints)
    )
    content = annotations.to_coco()
    for record, points in zip(content["annotations"], keypoints, strict=True):
        true = points[:, :2].copy()
        true[0] = FAR
        if fields:
            record |= {"true_keypoints": true.ravel().tolist(), "occlusion": [3] + [0] * 16}
    path.write_text(json.dumps(content))
    return annotations


def scored(scene: Scene, scores: float, first: float) -> Scene:
    """The scene with keypoint scores, that of the first keypoint apart."""
    keypoints = scene.results.keypoints.copy()
    keypoints[..., 2] = scores
    keypoints[:, 0, 2] = first
    return replace(scene, results=replace(scene.results, keypoints=keypoints))


def test_windows_are_boxes_at_three_to_four_with_a_margin() -> None:
    persons = exact_scene(COCO_PERSON, images=1).annotations.persons
    persons = replace(persons, boxes_xywh=np.array([[100.0, 100, 60, 40], [0, 0, 30, 80]]))
    # 60 x 80 and 60 x 80, both enlarged by a quarter.
    np.testing.assert_allclose(windows(persons), [[92.5, 70, 167.5, 170], [-22.5, -10, 52.5, 90]])
    assert inside(windows(persons), np.array([[92.5, 170], [53, 0]])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("annotated_in", "predicted_in", "from_corner_of"),
    [(1, 1, None), (0, 1, "prediction"), (1, 0, "annotation"), (0, 0, 0)],
)
def test_the_four_cases(annotated_in: int, predicted_in: int, from_corner_of: str | int | None) -> None:
    scene = exact_scene(COCO_PERSON, images=1).moved(0, 2, np.array([120.0, 60.0]))
    persons, results = scene.annotations.persons, scored(scene, 0.9, 0.9).results
    keypoints = results.keypoints.copy()
    keypoints[0, 2, 2] = 0.9 if predicted_in else 0.1
    is_in = np.ones((2, 17), dtype=bool)
    is_in[0, 2] = bool(annotated_in)
    pairs = pair_up(scene.annotations.images.ids, persons, results)
    similarity = extended_similarities(pairs, persons, persons.keypoints, is_in, keypoints, COCO_PERSON.oks_sigmas)
    own = (pairs.person == 0) & (pairs.detections[pairs.detection] == 0)
    truth, point, window = persons.keypoints[0, 2, :2], np.array([120.0, 60.0]), windows(persons)[0]
    if from_corner_of is None:
        distance = np.hypot(*(point - truth))
    elif from_corner_of == 0:
        distance = 0.0
    else:
        place = point if from_corner_of == "prediction" else truth
        corners = [(x, y) for x in window[::2] for y in window[1::2]]
        distance = min(np.hypot(*(place - corner)) for corner in corners)
    term = np.exp(-(distance**2) / (2 * AREA * (2 * COCO_PERSON.oks_sigmas[2]) ** 2))
    assert similarity[own] == pytest.approx([(16 + term) / 17])


def test_an_invented_keypoint_costs_only_in_extended_oks(tmp_path: Path) -> None:
    exact = exact_scene(COCO_PERSON)
    annotations = with_keypoint_outside(exact, tmp_path / "gt.json")
    invented, left_out = (scored(exact, 0.9, first) for first in (0.9, 0.1))
    for scene in (invented, left_out):
        assert evaluate_keypoints(annotations, scene.results, COCO_PERSON).statistics["AP"] == pytest.approx(1)
    found = [extended_ap(annotations, scene.results, COCO_PERSON, BOOTSTRAP) for scene in (invented, left_out)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[1].ap.value == pytest.approx(1)
    assert found[1].keypoints_out == 20
    # 16 of 17 terms: it passes the thresholds up to 0.9.
    assert found[0].ap.value == pytest.approx(0.9)


def test_annotations_without_such_keypoints_have_none(tmp_path: Path) -> None:
    scene = exact_scene(COCO_PERSON, images=1)
    annotations = with_keypoint_outside(scene, tmp_path / "gt.json", fields=False)
    assert extended_ap(annotations, scene.results, COCO_PERSON, BOOTSTRAP) is None


def test_crowds_have_no_known_keypoints_and_malformed_ones_are_one_line(tmp_path: Path) -> None:
    scene = exact_scene(COCO_PERSON, images=1)
    annotations = with_keypoint_outside(scene, tmp_path / "gt.json")
    crowd = replace(annotations.persons, is_crowd=np.array([True, False]))
    known = known_keypoints(tmp_path / "gt.json", crowd)
    assert known is not None
    assert known[..., 2].sum(axis=1).tolist() == [0, 17]
    content = json.loads((tmp_path / "gt.json").read_text())
    content["annotations"][1]["true_keypoints"] = [1, 2]
    (tmp_path / "gt.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="annotation 2: true_keypoints: must have 34 numbers, not 2"):
        known_keypoints(tmp_path / "gt.json", crowd)
