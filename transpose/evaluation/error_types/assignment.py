"""Assign each prediction to at most one annotated person, for the analysis of errors."""

from dataclasses import dataclass

import numpy as np

from transpose.data.coco import CocoAnnotations
from transpose.evaluation.matching import Pairs, pair_up, require_known_images, similarities
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton

CORRECT_OKS = 0.5
"""OKS from which a prediction finds a person: the lowest threshold of the COCO evaluation."""

LOCALISATION_OKS = 0.1
"""OKS from which a prediction belongs to a person at all, as in Ronchi and Perona 2017 (`oksLocThrs` in their code)."""


@dataclass(frozen=True)
class Assignment:
    """D evaluated predictions, at most 20 per image, and G annotated persons."""

    pairs: Pairs
    """All P pairs of a prediction and a person in the same image."""
    oks: np.ndarray
    """[P] float64."""
    person_of: np.ndarray
    """[D] int64: index of the person that the prediction is assigned to, -1 for none."""
    assigned_oks: np.ndarray
    """[D] float64: OKS with that person, 0 for none."""
    best_oks: np.ndarray
    """[D] float64: largest OKS with any evaluated person."""
    prediction_of: np.ndarray
    """[G] int64: index of the prediction assigned to the person, -1 for none."""
    is_evaluated: np.ndarray
    """[G] bool: the person has labelled keypoints and is not a crowd."""

    @property
    def results_of(self) -> np.ndarray:
        """[D] int64: index of each evaluated prediction in the results."""
        return self.pairs.detections

    @property
    def on_ignored(self) -> np.ndarray:
        """[D] bool: assigned to a crowd or to a person without labelled keypoints, so it is not an error."""
        return np.isin(self.person_of, np.flatnonzero(~self.is_evaluated))

    @property
    def found(self) -> np.ndarray:
        """[M] indices of the predictions that are assigned to an evaluated person."""
        return np.flatnonzero((self.person_of >= 0) & ~self.on_ignored)


def assign(annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton) -> Assignment:
    """Assign predictions to persons, in three steps.

    The first is that of the COCO evaluation at OKS 0.5. The second assigns the others from an OKS of 0.5 with left and
    right exchanged: such predictions may have hardly any OKS. The third assigns the rest from OKS 0.1. In each step
    predictions come in order of score, and each takes the most similar person that is left; the second and third are
    for evaluated persons only. Ronchi and Perona match once from OKS 0.1, where a poor prediction with a high score
    takes the person of a good one, which AP counts.

    Raises:
        InputError: a result is in an image that the annotations do not contain.
    """
    require_known_images(annotations, results)
    persons = annotations.persons
    pairs = pair_up(annotations.images.ids, persons, results)
    oks = similarities(pairs, persons, results.keypoints, skeleton.oks_sigmas)
    is_evaluated = persons.is_labelled & ~persons.is_crowd
    evaluated = is_evaluated[pairs.person]
    best_oks = np.zeros(len(pairs.detections))
    np.maximum.at(best_oks, pairs.detection[evaluated], oks[evaluated])
    pair_of = np.full(len(pairs.detections), -1)
    taken = np.zeros(len(persons), dtype=bool)
    exchanged = similarities(
        pairs, persons, np.ascontiguousarray(results.keypoints[:, skeleton.flip_permutation]), skeleton.oks_sigmas
    )
    steps = (
        (oks, oks >= CORRECT_OKS),
        (exchanged, (exchanged >= CORRECT_OKS) & evaluated),
        (oks, (oks >= LOCALISATION_OKS) & evaluated),
    )
    for similarity, near in steps:
        ordered = _ordered(pairs, np.flatnonzero(near), similarity, is_evaluated)
        _take_in_order(ordered, pairs, persons.is_crowd, pair_of, taken)
    assigned = np.flatnonzero(pair_of >= 0)
    person_of, assigned_oks = np.full(len(pair_of), -1), np.zeros(len(pair_of))
    person_of[assigned], assigned_oks[assigned] = pairs.person[pair_of[assigned]], oks[pair_of[assigned]]
    prediction_of = np.full(len(persons), -1)
    prediction_of[person_of[assigned]] = assigned
    return Assignment(pairs, oks, person_of, assigned_oks, best_oks, prediction_of, is_evaluated)


def oks_of_persons(assignment: Assignment) -> np.ndarray:
    """Return the OKS [G] of the prediction assigned to each evaluated person, 0 for none."""
    oks = np.zeros(len(assignment.prediction_of))
    oks[assignment.person_of[assignment.found]] = assignment.assigned_oks[assignment.found]
    return oks


def _ordered(pairs: Pairs, near: np.ndarray, oks: np.ndarray, is_evaluated: np.ndarray) -> np.ndarray:
    """Return the pairs `near` in the order of the COCO matching; of equal persons the last one comes first."""
    person = pairs.person[near]
    return near[np.lexsort((-person, -oks[near], ~is_evaluated[person], pairs.detection[near]))]


def _take_in_order(
    ordered: np.ndarray, pairs: Pairs, crowd: np.ndarray, pair_of: np.ndarray, taken: np.ndarray
) -> None:
    """Set `pair_of` [D] and `taken` [G]: each prediction takes the first of its pairs whose person is not taken."""
    detections, persons, is_crowd = pairs.detection[ordered].tolist(), pairs.person[ordered].tolist(), crowd.tolist()
    # Plain lists are faster than arrays for single elements.
    pair_list, taken_list = pair_of.tolist(), taken.tolist()
    for pair, detection, person in zip(ordered.tolist(), detections, persons, strict=True):
        if pair_list[detection] < 0 and (not taken_list[person] or is_crowd[person]):
            pair_list[detection], taken_list[person] = pair, True
    pair_of[:], taken[:] = np.array(pair_list), np.array(taken_list)
