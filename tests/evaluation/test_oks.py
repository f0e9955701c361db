import json
from dataclasses import replace

import numpy as np
import pycocotools.coco as pycoco
import pycocotools.cocoeval as pycocoeval
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluation.hard_scenes import hard_scene
from tests.evaluation.official import official_evaluator
from transpose.data.coco import CocoAnnotations, load_annotations
from transpose.errors import InputError
from transpose.evaluation.matches import STATISTICS, precision_curves, recalls
from transpose.evaluation.oks import evaluate_keypoints, match_tables, max_abs_difference
from transpose.evaluation.reference_evaluators import pycocotools_metrics, reference_metrics, xtcocotools_metrics
from transpose.inference.poses import PoseResults
from transpose.skeleton import COCO_PERSON, Skeleton


def official_statistics(scene, tmp_path):
    """The evaluator's own readers on files."""
    records = [
        {"image_id": image_id, "category_id": 1, "keypoints": keypoints.ravel().tolist(), "score": score}
        for image_id, keypoints, score in zip(
            scene.results.image_ids.tolist(), scene.results.keypoints, scene.results.scores.tolist(), strict=True
        )
    ]
    (tmp_path / "results.json").write_text(json.dumps(records))
    # A match with the annotation of number 0 would count as none.
    annotations = [person | {"id": person["id"] + 1} for person in scene.content["annotations"]]
    (tmp_path / "numbered.json").write_text(json.dumps(scene.content | {"annotations": annotations}))
    truth = pycoco.COCO(str(tmp_path / "numbered.json"))
    evaluator = pycocoeval.COCOeval(truth, truth.loadRes(str(tmp_path / "results.json")), "keypoints")
    evaluator.evaluate()
    evaluator.accumulate()
    evaluator.summarize()
    return dict(zip(STATISTICS, evaluator.stats.tolist(), strict=True))


@pytest.mark.parametrize("seed", [0, 1])
def test_is_the_official_evaluation(seed, make_scene, tmp_path):
    scene = make_scene(seed)
    metrics = evaluate_keypoints(load_annotations(scene.annotation_path, COCO_PERSON), scene.results, COCO_PERSON)
    assert metrics.statistics == official_statistics(scene, tmp_path)
    assert 0.1 < metrics.statistics["AP"] < 0.9
    counted = [person for person in scene.content["annotations"] if person["num_keypoints"] and not person["iscrowd"]]
    assert (metrics.images, metrics.persons, metrics.predictions) == (30, len(counted), len(scene.results))


def assert_official(annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton = COCO_PERSON) -> None:
    """All figures, precision curves and recalls are those of pycocotools."""
    official = official_evaluator(annotations, results, skeleton)
    metrics = evaluate_keypoints(annotations, results, skeleton)
    np.testing.assert_allclose(list(metrics.statistics.values()), official.stats, rtol=0, atol=1e-9)
    for size, table in enumerate(match_tables(annotations, results, skeleton)):
        curves, found = official.eval["precision"][:, :, 0, size, 0], official.eval["recall"][:, 0, size, 0]
        np.testing.assert_allclose(precision_curves(table), curves, rtol=0, atol=1e-9)
        np.testing.assert_allclose(recalls(table), found, rtol=0, atol=1e-9)
    assert pycocotools_metrics(annotations, results, skeleton) == pytest.approx(metrics.statistics, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), images=st.integers(2, 12))
def test_every_curve_is_the_official_one(seed, images):
    assert_official(*hard_scene(seed, images))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), keypoints=st.integers(1, 30))
def test_so_it_is_for_any_number_of_keypoints(seed, keypoints):
    names = tuple(f"keypoint_{k}" for k in range(keypoints))
    sigmas = tuple(np.random.default_rng(seed).uniform(0.02, 0.12, keypoints).tolist())
    skeleton = Skeleton(
        name="any",
        keypoints=names,
        flip_pairs=(),
        limbs=(),
        sigmas=sigmas,
        joint_weights=(1,) * keypoints,
        upper_body=(),
    )
    assert_official(*hard_scene(seed, keypoints=keypoints), skeleton)


EVERYTHING = hard_scene(0, images=5)


def test_the_scenes_are_hard():
    annotations, results = EVERYTHING
    persons = annotations.persons
    assert persons.is_crowd.any()
    assert (persons.keypoints[:, :, 2] == 0).all(axis=1).any()
    assert (persons.areas == 0).any()
    assert len(np.unique(persons.annotation_ids)) < len(persons)
    assert len(np.unique(results.scores)) < len(results)
    assert np.unique(results.image_ids, return_counts=True)[1].max() > 20
    assert 0.1 < evaluate_keypoints(annotations, results, COCO_PERSON).statistics["AP"] < 0.9


@pytest.mark.parametrize(
    "change",
    [
        {"is_crowd": True},
        {"areas": 0.0},
        {"areas": 1e11},
        {"keypoints": 0.0},
        {"image_ids": int(EVERYTHING[1].image_ids[0])},
    ],
    ids=["all crowds", "no area", "beyond all sizes", "no labels", "all in one image"],
)
def test_extremes_are_the_official_evaluations(change):
    annotations, results = EVERYTHING
    values = {field: np.full_like(getattr(annotations.persons, field), value) for field, value in change.items()}
    assert_official(replace(annotations, persons=replace(annotations.persons, **values)), results)


def test_no_predictions_and_no_persons_equal_the_official_evaluation(no_results):
    annotations, results = EVERYTHING
    assert_official(annotations, no_results)
    empty = replace(annotations, persons=annotations.persons.select(np.zeros(0, dtype=int)))
    assert_official(empty, results)
    assert_official(empty, no_results)


def test_perfect_results_are_perfect_and_a_first_annotation_of_number_zero_counts(make_scene):
    scene = make_scene(seed=3)
    persons = [person for person in scene.content["annotations"] if person["num_keypoints"]]
    results = PoseResults(
        image_ids=np.array([person["image_id"] for person in persons]),
        keypoints=np.array([person["keypoints"] for person in persons]).reshape(-1, 17, 3),
        scores=np.ones(len(persons)),
    )
    metrics = evaluate_keypoints(load_annotations(scene.annotation_path, COCO_PERSON), results, COCO_PERSON)
    assert metrics.statistics["AP"] == pytest.approx(1)
    assert metrics.statistics["AR"] == 1


def test_empty_results_have_no_precision(make_scene, no_results):
    metrics = evaluate_keypoints(load_annotations(make_scene().annotation_path, COCO_PERSON), no_results, COCO_PERSON)
    assert set(metrics.statistics.values()) == {0}


@pytest.mark.parametrize("keep_crowds", [True, False])
def test_no_persons_is_minus_one(keep_crowds, make_scene):
    scene = make_scene(seed=4)
    content = dict(scene.content)
    content["annotations"] = [person for person in content["annotations"] if person["iscrowd"] and keep_crowds]
    assert bool(content["annotations"]) == keep_crowds
    scene.annotation_path.write_text(json.dumps(content))
    metrics = evaluate_keypoints(load_annotations(scene.annotation_path, COCO_PERSON), scene.results, COCO_PERSON)
    assert set(metrics.statistics.values()) == {-1}
    assert metrics.persons == 0


def test_no_image_at_all(make_scene, no_results):
    scene = make_scene()
    scene.annotation_path.write_text(json.dumps(scene.content | {"images": [], "annotations": []}))
    assert set(
        evaluate_keypoints(
            load_annotations(scene.annotation_path, COCO_PERSON), no_results, COCO_PERSON
        ).statistics.values()
    ) == {-1}


def test_a_result_of_an_unknown_image_is_refused(make_scene):
    scene = make_scene()
    scene.results.image_ids[7] = 9999
    with pytest.raises(InputError, match=r"result 7 .* image 9999"):
        evaluate_keypoints(load_annotations(scene.annotation_path, COCO_PERSON), scene.results, COCO_PERSON)


def test_prints_nothing(make_scene, capsys):
    scene = make_scene()
    reference_metrics(load_annotations(scene.annotation_path, COCO_PERSON), scene.results, COCO_PERSON)
    assert capsys.readouterr().out == ""


def test_another_skeleton_brings_its_own_sigmas(make_scene):
    scene = make_scene(seed=5)
    triple = Skeleton(
        name="triple",
        keypoints=("a", "b", "c"),
        flip_pairs=(),
        limbs=(),
        sigmas=(0.05, 0.1, 0.2),
        joint_weights=(1, 1, 1),
        upper_body=(),
    )
    annotations = [
        person | {"keypoints": person["keypoints"][:9], "num_keypoints": sum(v > 0 for v in person["keypoints"][2:9:3])}
        for person in scene.content["annotations"]
    ]
    scene.annotation_path.write_text(json.dumps(scene.content | {"annotations": annotations}))
    results = PoseResults(scene.results.image_ids, scene.results.keypoints[:, :3], scene.results.scores)
    metrics = evaluate_keypoints(load_annotations(scene.annotation_path, triple), results, triple)
    wide = Skeleton.model_validate(triple.model_dump() | {"sigmas": (0.5, 1.0, 2.0)})
    assert (
        evaluate_keypoints(load_annotations(scene.annotation_path, wide), results, wide).statistics["AP"]
        > metrics.statistics["AP"]
        > 0
    )
    opinion = xtcocotools_metrics(load_annotations(scene.annotation_path, triple), results, triple)
    assert opinion is None or max_abs_difference(metrics.statistics, opinion) < 1e-9
