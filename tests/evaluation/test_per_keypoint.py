import json

import numpy as np
import pytest

from transpose.data.coco import load_annotations
from transpose.evaluation.oks import evaluate_keypoints
from transpose.evaluation.per_keypoint import per_keypoint_metrics
from transpose.inference.poses import PoseResults
from transpose.skeleton import COCO_PERSON, Skeleton

KEYPOINTS = ("nose", "left_shoulder", "right_ankle")


@pytest.mark.parametrize("keypoint", KEYPOINTS)
def test_precision_is_the_official_one_of_the_keypoint_alone(keypoint, make_scene):
    scene = make_scene(seed=6, images=40)
    k = COCO_PERSON.index(keypoint)
    measured = per_keypoint_metrics(load_annotations(scene.annotation_path, COCO_PERSON), scene.results, COCO_PERSON)[k]
    alone = Skeleton(
        name="alone",
        keypoints=(keypoint,),
        flip_pairs=(),
        limbs=(),
        sigmas=(COCO_PERSON.sigmas[k],),
        joint_weights=(1.0,),
        upper_body=(),
    )
    annotations = [
        person
        | {
            "keypoints": person["keypoints"][3 * k : 3 * k + 3],
            "num_keypoints": int(person["keypoints"][3 * k + 2] > 0),
        }
        for person in scene.content["annotations"]
    ]
    scene.annotation_path.write_text(json.dumps(scene.content | {"annotations": annotations}))
    results = PoseResults(scene.results.image_ids, scene.results.keypoints[:, k : k + 1], scene.results.scores)
    official = evaluate_keypoints(load_annotations(scene.annotation_path, alone), results, alone)
    assert 0.01 < measured.ap < 0.95
    assert measured.ap == pytest.approx(official.statistics["AP"], abs=1e-12)
    assert measured.occluded + measured.visible == official.persons


def test_errors_are_in_kappas_and_split_by_visibility(make_scene):
    scene = make_scene(seed=7, images=60)
    persons = [person for person in scene.content["annotations"] if person["num_keypoints"] and not person["iscrowd"]]
    first_of_image = {person["image_id"]: person for person in reversed(persons)}
    scene.annotation_path.write_text(json.dumps(scene.content | {"annotations": list(first_of_image.values())}))
    keypoints = np.array([person["keypoints"] for person in first_of_image.values()]).reshape(-1, 17, 3)
    kappas = np.sqrt([person["area"] for person in first_of_image.values()])[:, None] * 2 * COCO_PERSON.oks_sigmas
    shift = np.where(keypoints[..., 2] == 1, 0.75, 0.25) * kappas
    shifted = keypoints.copy()
    shifted[..., 0] += shift
    far = shifted + 10_000
    results = PoseResults(
        image_ids=np.tile(list(first_of_image), 2),
        keypoints=np.concatenate((far, shifted)),
        scores=np.repeat([1.0, 0.1], len(shifted)),
    )
    for keypoint in per_keypoint_metrics(load_annotations(scene.annotation_path, COCO_PERSON), results, COCO_PERSON):
        assert keypoint.occluded
        assert keypoint.visible
        assert keypoint.median_error_occluded == pytest.approx(0.75)
        assert keypoint.median_error_visible == pytest.approx(0.25)


def test_far_results_have_large_but_finite_errors(make_scene):
    scene = make_scene(seed=8)
    scene.results.keypoints[..., :2] += 1e6
    keypoints = per_keypoint_metrics(load_annotations(scene.annotation_path, COCO_PERSON), scene.results, COCO_PERSON)
    assert all(keypoint.median_error_visible and 1e3 < keypoint.median_error_visible < 1e7 for keypoint in keypoints)


def test_perfect_results_have_no_error_and_without_results_there_is_none(make_scene, no_results):
    scene = make_scene(seed=3)
    persons = [person for person in scene.content["annotations"] if person["num_keypoints"]]
    perfect = PoseResults(
        image_ids=np.array([person["image_id"] for person in persons]),
        keypoints=np.array([person["keypoints"] for person in persons]).reshape(-1, 17, 3),
        scores=np.ones(len(persons)),
    )
    annotations = load_annotations(scene.annotation_path, COCO_PERSON)
    assert {keypoint.median_error_visible for keypoint in per_keypoint_metrics(annotations, perfect, COCO_PERSON)} == {
        0
    }
    missed = per_keypoint_metrics(annotations, no_results, COCO_PERSON)
    assert {keypoint.ap for keypoint in missed} == {0}
    assert {keypoint.median_error_visible for keypoint in missed} == {None}


def test_unlabelled_keypoints_have_no_precision(make_scene):
    scene = make_scene(seed=4)
    scene.annotation_path.write_text(json.dumps(scene.content | {"annotations": []}))
    keypoints = per_keypoint_metrics(load_annotations(scene.annotation_path, COCO_PERSON), scene.results, COCO_PERSON)
    assert {keypoint.ap for keypoint in keypoints} == {-1}
