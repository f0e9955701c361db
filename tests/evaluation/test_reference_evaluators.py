"""The evaluators of other packages agree with ours, each where it is installed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluation.hard_scenes import hard_scene
from transpose.data.coco import load_annotations
from transpose.evaluation import reference_evaluators
from transpose.evaluation.oks import evaluate_keypoints, max_abs_difference
from transpose.evaluation.reference_evaluators import hotcoco_metrics, reference_metrics, xtcocotools_metrics
from transpose.skeleton import COCO_PERSON, Skeleton


def test_xtcocotools_agrees(make_scene):
    pytest.importorskip("xtcocotools", exc_type=ImportError)
    scene = make_scene(seed=2)
    metrics = evaluate_keypoints(load_annotations(scene.annotation_path, COCO_PERSON), scene.results, COCO_PERSON)
    opinion = xtcocotools_metrics(load_annotations(scene.annotation_path, COCO_PERSON), scene.results, COCO_PERSON)
    assert opinion is not None
    assert max_abs_difference(metrics.statistics, opinion) < 1e-9


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), images=st.integers(2, 12))
def test_hotcoco_has_the_same_ten_figures(seed, images):
    pytest.importorskip("hotcoco")
    annotations, results = hard_scene(seed, images)
    ours = evaluate_keypoints(annotations, results, COCO_PERSON)
    assert hotcoco_metrics(annotations, results, COCO_PERSON) == ours.statistics


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), keypoints=st.integers(1, 30))
def test_hotcoco_has_them_for_any_number_of_keypoints(seed, keypoints):
    pytest.importorskip("hotcoco")
    skeleton = Skeleton(
        name="any",
        keypoints=tuple(f"keypoint_{k}" for k in range(keypoints)),
        flip_pairs=(),
        limbs=(),
        sigmas=tuple(0.02 + 0.1 * k / keypoints for k in range(keypoints)),
        joint_weights=(1,) * keypoints,
        upper_body=(),
    )
    annotations, results = hard_scene(seed, keypoints=keypoints)
    ours = evaluate_keypoints(annotations, results, skeleton)
    assert hotcoco_metrics(annotations, results, skeleton) == ours.statistics


def test_without_other_evaluators_there_is_only_pycocotools(make_scene, monkeypatch):
    monkeypatch.setattr(reference_evaluators, "_module", lambda name: None)
    scene = make_scene()
    found = reference_metrics(load_annotations(scene.annotation_path, COCO_PERSON), scene.results, COCO_PERSON)
    assert list(found) == ["pycocotools"]
