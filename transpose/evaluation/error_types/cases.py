"""Choose the worst and the best persons and predictions of each class of errors, to look at them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from transpose.evaluation.error_types.assignment import oks_of_persons
from transpose.evaluation.error_types.keypoints import KeypointClass, keypoint_similarities
from transpose.evaluation.error_types.mended import Diagnosed
from transpose.evaluation.error_types.predictions import PredictionClass

_KEYPOINT_ERRORS = (KeypointClass.JITTER, KeypointClass.INVERSION, KeypointClass.SWAP, KeypointClass.MISS)
_PREDICTION_ERRORS = (PredictionClass.LOCALISATION, PredictionClass.DUPLICATE, PredictionClass.BACKGROUND)


@dataclass(frozen=True)
class Case:
    """An annotated person, or a prediction of one model that is not assigned to a person."""

    image: int
    """Position in the table of images."""
    person: int | None
    """Row of the annotated person."""
    rows: tuple[int | None, ...]
    """For each model, the row of its prediction in its results; None without one."""


@dataclass(frozen=True)
class Outcome:
    """What a model did in a case."""

    prediction: PredictionClass | None
    """None if the person is not detected."""
    oks: float
    """OKS with the person, or the largest with any person; 0 for an undetected person."""
    keypoints: np.ndarray
    """[K] `KeypointClass`; all `UNLABELLED` for a prediction without a person."""
    similarities: np.ndarray
    """[K] OKS term of each keypoint; -1 where it is not labelled or nothing is predicted."""


def choose_cases(models: Sequence[Diagnosed], count: int) -> list[Case]:
    """Return the worst and the best persons and predictions, those of the same image together.

    These are, for each model, the `count` persons with the most keypoints of each class of errors, the largest
    undetected persons, the persons with the smallest and the largest OKS, and the predictions of each class of errors
    with the highest scores; and for each pair of models the persons with the most different OKS. All models are of the
    same annotations.
    """
    first = models[0]
    persons, images = first.annotations.persons, first.annotations.images
    chosen = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *_persons(models, count)])).astype(np.int64)
    positions = images.find(persons.image_ids[chosen])
    cases = [
        Case(position, row, tuple(_row_of_person(model, row) for model in models))
        for row, position in zip(chosen.tolist(), positions.tolist(), strict=True)
    ]
    for index, model in enumerate(models):
        rows = _false_predictions(model, count)
        positions = images.find(model.results.image_ids[rows])
        cases.extend(
            Case(position, None, tuple(row if other == index else None for other in range(len(models))))
            for row, position in zip(rows.tolist(), positions.tolist(), strict=True)
        )
    return sorted(cases, key=lambda case: case.image)


def outcome_of(model: Diagnosed, case: Case, row: int | None) -> Outcome | None:
    """Return what a model did in a case.

    Args:
        row: of the model's prediction in its results.

    Returns:
        None if the case is a prediction of another model.
    """
    assignment, keypoints = model.assignment, len(model.skeleton)
    nothing = np.full(keypoints, -1.0)
    unlabelled = np.full(keypoints, int(KeypointClass.UNLABELLED))
    detection = None if row is None else int(np.flatnonzero(assignment.results_of == row)[0])
    prediction = None if detection is None else PredictionClass(model.prediction_classes[detection])
    if case.person is None:
        oks = None if detection is None else float(assignment.best_oks[detection])
        return None if oks is None else Outcome(prediction, oks, unlabelled, nothing)
    classes = model.keypoint_classes[case.person]
    if row is None or detection is None:
        return Outcome(None, 0.0, classes, nothing)
    points, rows = model.results.keypoints[[row]][..., :2], np.array([case.person])
    terms = keypoint_similarities(points, model.annotations.persons, rows, model.skeleton)[0]
    return Outcome(prediction, float(assignment.assigned_oks[detection]), classes, terms)


def _persons(models: Sequence[Diagnosed], count: int) -> Iterator[np.ndarray]:
    """Yield rows of evaluated persons, the worst or best `count` of each kind."""
    oks = [oks_of_persons(model.assignment) for model in models]
    for model, similarity in zip(models, oks, strict=True):
        is_evaluated, is_found = model.assignment.is_evaluated, model.assignment.prediction_of >= 0
        classes, areas = model.keypoint_classes, model.annotations.persons.areas
        for kind in _KEYPOINT_ERRORS:
            numbers = (classes == kind).sum(axis=1)
            yield _first(np.lexsort((similarity, -numbers)), numbers > 0, count)
        yield _first(np.argsort(-areas, kind="stable"), is_evaluated & ~is_found, count)
        for order in (similarity, -similarity):
            yield _first(np.argsort(order, kind="stable"), is_evaluated & is_found, count)
    for one, other in combinations(range(len(models)), 2):
        difference = np.abs(oks[one] - oks[other])
        yield _first(np.argsort(-difference, kind="stable"), difference > 0, count)


def _first(order: np.ndarray, allowed: np.ndarray, count: int) -> np.ndarray:
    return order[allowed[order]][:count]


def _row_of_person(model: Diagnosed, person: int) -> int | None:
    """Return the row of the prediction that is assigned to a person, None without one."""
    detection = int(model.assignment.prediction_of[person])
    return int(model.assignment.results_of[detection]) if detection >= 0 else None


def _false_predictions(model: Diagnosed, count: int) -> np.ndarray:
    """Return the rows of predictions that are not assigned to a person, the `count` of the highest scores by class."""
    order = np.argsort(-model.scores, kind="stable")
    without = model.assignment.person_of < 0
    chosen = [_first(order, without & (model.prediction_classes == kind), count) for kind in _PREDICTION_ERRORS]
    return model.assignment.results_of[np.concatenate(chosen)]
