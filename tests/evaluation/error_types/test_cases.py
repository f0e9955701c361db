"""The error browser's choice has the worst and best of each class, and says what each model did."""

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.injected_errors import Scene, exact_scene
from transpose.evaluation.error_types.cases import Case, choose_cases, outcome_of
from transpose.evaluation.error_types.keypoints import KeypointClass
from transpose.evaluation.error_types.mended import Diagnosed
from transpose.evaluation.error_types.predictions import PredictionClass
from transpose.evaluation.error_types.report import diagnose
from transpose.skeleton import COCO_PERSON


def diagnosed(scene: Scene) -> Diagnosed:
    return diagnose(scene.annotations, scene.results, scene.skeleton)


def persons(cases: list[Case]) -> set[int]:
    return {case.person for case in cases if case.person is not None}


def test_each_class_is_chosen_from_its_own_worst() -> None:
    scene = exact_scene(COCO_PERSON)
    wrong = scene.jittered(3, 5).jittered(3, 6).jittered(4, 5).inverted(6, 7).swapped(8, 0).missed(10, 1)
    wrong = wrong.with_prediction(12, 0.99).without_prediction(14)
    cases = choose_cases([diagnosed(wrong)], 1)
    # One of each class of errors, of which person 3 has more than person 4, and the best one.
    assert {3, 6, 8, 10, 14} <= persons(cases)
    assert 4 not in persons(cases)
    (duplicate,) = (case for case in cases if case.person is None)
    assert wrong.annotations.images.ids[duplicate.image] == scene.annotations.persons.image_ids[12]
    assert [case.image for case in cases] == sorted(case.image for case in cases)


def test_two_models_bring_the_persons_they_differ_most_in() -> None:
    scene = exact_scene(COCO_PERSON)
    other = replace(scene, results=replace(scene.results, keypoints=scene.results.keypoints.copy()))
    for keypoint in range(12):
        other = other.missed(9, keypoint)
    cases = choose_cases([diagnosed(scene), diagnosed(other)], 1)
    (case,) = (case for case in cases if case.person == 9)
    assert case.rows == (9, 9)
    first, second = (outcome_of(diagnosed(one), case, 9) for one in (scene, other))
    assert first is not None
    assert second is not None
    assert first.oks == pytest.approx(1)
    assert second.oks == pytest.approx(5 / 17)
    assert (second.keypoints == KeypointClass.MISS).sum() == 12
    assert second.prediction == PredictionClass.LOCALISATION


def test_outcomes_of_undetected_persons_and_of_predictions_without_a_person() -> None:
    scene = exact_scene(COCO_PERSON).without_prediction(14).with_prediction(0, 0.2, offset=-5_000)
    model = diagnosed(scene)
    cases = choose_cases([model, diagnosed(exact_scene(COCO_PERSON))], 20)
    undetected = next(case for case in cases if case.person == 14)
    assert undetected.rows == (None, 14)
    outcome = outcome_of(model, undetected, None)
    assert outcome is not None
    assert (outcome.prediction, outcome.oks) == (None, 0)
    assert set(outcome.keypoints.tolist()) == {KeypointClass.UNDETECTED}
    background = next(case for case in cases if case.person is None)
    assert background.rows == (19, None)
    outcome = outcome_of(model, background, 19)
    assert outcome is not None
    assert outcome.prediction == PredictionClass.BACKGROUND
    np.testing.assert_array_equal(outcome.similarities, -1)
    assert outcome_of(model, background, None) is None
