"""Similarities and matches are equal to those of the official evaluator, bit by bit."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluation.hard_scenes import hard_scene
from tests.evaluation.official import official_evaluator, official_matches
from transpose.data.coco import load_annotations
from transpose.evaluation.matching import MAX_DETECTIONS, match_greedily, pair_up, similarities
from transpose.evaluation.oks import match_tables
from transpose.inference.poses import PoseResults
from transpose.skeleton import COCO_PERSON


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_matches_are_the_official_evaluators(seed: int) -> None:
    annotations, results = hard_scene(seed)
    matched, ignored = official_matches(official_evaluator(annotations, results, COCO_PERSON))
    everybody = match_tables(annotations, results, COCO_PERSON)[0]
    np.testing.assert_array_equal(everybody.matched, matched)
    np.testing.assert_array_equal(everybody.ignored, ignored)


def test_only_the_best_scored_of_an_image_count(make_scene: Callable[..., Any]) -> None:
    scene = make_scene(seed=12, images=2)
    image_id = scene.content["annotations"][0]["image_id"]
    crowded = PoseResults(np.full(50, image_id), np.zeros((50, 17, 3)), np.linspace(0, 1, 50))
    annotations = load_annotations(scene.annotation_path, COCO_PERSON)
    pairs = pair_up(annotations.images.ids, annotations.persons, crowded)
    assert pairs.detections.tolist() == list(range(49, 49 - MAX_DETECTIONS, -1))


def test_the_order_of_images_and_results_does_not_matter() -> None:
    annotations, results = hard_scene(3, images=12)
    results.scores[:] = np.random.default_rng(0).permutation(len(results))
    shuffled = np.random.default_rng(1).permutation(len(results))
    mixed = PoseResults(results.image_ids[shuffled], results.keypoints[shuffled], results.scores[shuffled])
    persons, tables = annotations.persons, []
    for found in (results, mixed):
        pairs = pair_up(annotations.images.ids, persons, found)
        oks = similarities(pairs, persons, found.keypoints, COCO_PERSON.oks_sigmas)
        tables.append(match_greedily(pairs, oks, persons.is_crowd, persons.is_crowd))
    np.testing.assert_array_equal(*tables)
    assert tables[0][0].any()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_similarities_are_the_official_ones_bit_by_bit(seed: int) -> None:
    annotations, results = hard_scene(seed)
    official = official_evaluator(annotations, results, COCO_PERSON)
    persons = annotations.persons
    pairs = pair_up(annotations.images.ids, persons, results)
    measured = similarities(pairs, persons, results.keypoints, COCO_PERSON.oks_sigmas)
    # The official ones lie in a matrix for each image, predictions by persons.
    matrices = [official.ious[image_id, 1] for image_id in pairs.image_ids.tolist()]
    expected = np.concatenate([[], *(np.ravel(matrix) for matrix in matrices)])
    np.testing.assert_array_equal(measured, expected)
