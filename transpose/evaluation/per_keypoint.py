"""AP and errors of each single keypoint."""

from dataclasses import dataclass, replace

import numpy as np

from transpose.data.coco import CocoAnnotations, PersonInstances
from transpose.evaluation.matches import precision_curves
from transpose.evaluation.matching import Pairs, match_table, pair_up, similarities, squared_errors
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton


@dataclass(frozen=True)
class PerKeypointMetrics:
    """Metrics of one keypoint over all persons except crowds.

    Errors are distances to the labelled keypoint in units of its OKS kappa, sqrt(area) 2 sigma: at an error of 1 the
    keypoint's OKS term is exp(-1/2) = 0.61. They are computed for the prediction with the largest OKS with the person;
    persons in images without predictions have no error.
    """

    keypoint: str
    ap: float
    """AP of the COCO evaluation with only this keypoint annotated and predicted: mean over OKS 0.50:0.95, over persons
    with the keypoint labelled, with predictions ranked by the person's score; -1 if no person has it labelled."""
    occluded: int
    """Number of persons with the keypoint labelled v = 1."""
    visible: int
    """Number of persons with the keypoint labelled v = 2."""
    median_error_occluded: float | None
    """None if there are no errors."""
    median_error_visible: float | None
    """None if there are no errors."""

    @property
    def accuracy(self) -> float:
        """The metric for comparing keypoints."""
        return self.ap


def per_keypoint_metrics(
    annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton
) -> tuple[PerKeypointMetrics, ...]:
    """Compute the metrics of every keypoint, in the skeleton's order."""
    persons = annotations.persons
    pairs = pair_up(annotations.images.ids, persons, results)
    errors = _errors(pairs, persons, results, skeleton.oks_sigmas)[~persons.is_crowd]
    labels = persons.keypoints[~persons.is_crowd, :, 2]
    return tuple(
        _keypoint(name, _precision(pairs, persons, results, skeleton, k), labels[:, k], errors[:, k])
        for k, name in enumerate(skeleton.keypoints)
    )


def _keypoint(name: str, precision: float, labels: np.ndarray, errors: np.ndarray) -> PerKeypointMetrics:
    occluded, visible = labels == 1, labels == 2
    return PerKeypointMetrics(
        keypoint=name,
        ap=precision,
        occluded=int(occluded.sum()),
        visible=int(visible.sum()),
        median_error_occluded=_median(errors[occluded]),
        median_error_visible=_median(errors[visible]),
    )


def _precision(
    pairs: Pairs, persons: PersonInstances, results: PoseResults, skeleton: Skeleton, keypoint: int
) -> float:
    """Return AP with only this keypoint annotated and predicted."""
    alone = slice(keypoint, keypoint + 1)
    persons = replace(persons, keypoints=np.ascontiguousarray(persons.keypoints[:, alone]))
    predicted = np.ascontiguousarray(results.keypoints[:, alone])
    similarity = similarities(pairs, persons, predicted, skeleton.oks_sigmas[alone])
    ignored = (persons.keypoints[:, 0, 2] == 0) | persons.is_crowd
    return float(precision_curves(match_table(pairs, persons, results.scores, similarity, ignored)).mean())


def _errors(pairs: Pairs, persons: PersonInstances, results: PoseResults, sigmas: np.ndarray) -> np.ndarray:
    """Return errors [G, K] in kappas of the prediction most similar to each person; NaN without prediction."""
    order = np.lexsort((similarities(pairs, persons, results.keypoints, sigmas), pairs.person))
    best = order[np.flatnonzero(np.diff(pairs.person[order], append=-1))]
    person, prediction = pairs.person[best], pairs.detections[pairs.detection[best]]
    offsets = (results.keypoints[prediction] - persons.keypoints[person])[:, :, :2].transpose(2, 0, 1)
    errors = np.full(persons.keypoints.shape[:2], np.nan)
    errors[person] = np.sqrt(squared_errors(offsets, persons.areas[person], sigmas))
    return errors


def _median(errors: np.ndarray) -> float | None:
    known = errors[~np.isnan(errors)]
    return float(np.median(known)) if len(known) else None
