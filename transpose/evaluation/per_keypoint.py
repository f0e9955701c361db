"""How well each keypoint is found, by itself."""

from dataclasses import dataclass, replace

import numpy as np

from transpose.data.coco import CocoAnnotations, PersonInstances
from transpose.evaluation.matches import MatchTable, precision_curves
from transpose.evaluation.matching import Pairs, match_greedily, pair_up
from transpose.evaluation.similarity import similarities, squared_errors
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton


@dataclass(frozen=True)
class PerKeypointMetrics:
    """Figures of one keypoint over all persons that are no crowd.

    Errors are the distance to the labelled keypoint in units of its OKS kappa, sqrt(area) 2 sigma: at an error of 1 the
    keypoint's OKS term is exp(-1/2) = 0.61. They are those of the prediction that has the largest OKS with the person;
    persons in images without predictions have no error.
    """

    keypoint: str
    ap: float
    """AP of the COCO evaluation, had this keypoint alone been annotated and predicted: mean over OKS 0.50:0.95, of
    persons with the keypoint labelled, predictions ranked by the person's score; -1 where the keypoint is labelled on
    nobody."""
    occluded: int
    """Persons with the keypoint labelled v = 1."""
    visible: int
    """Persons with the keypoint labelled v = 2."""
    median_error_occluded: float | None
    """None without any error to take the median of."""
    median_error_visible: float | None

    @property
    def accuracy(self) -> float:
        """The figure that keypoints are compared by."""
        return self.ap


def per_keypoint_metrics(
    annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton
) -> tuple[PerKeypointMetrics, ...]:
    """Figures of every keypoint, in the skeleton's order."""
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
    """AP as though there were no other keypoint."""
    alone = slice(keypoint, keypoint + 1)
    persons = replace(persons, keypoints=np.ascontiguousarray(persons.keypoints[:, alone]))
    predicted = np.ascontiguousarray(results.keypoints[:, alone])
    similarity = similarities(pairs, persons, predicted, skeleton.oks_sigmas[alone])
    ignored = (persons.keypoints[:, 0, 2] == 0) | persons.is_crowd
    matched, on_ignored = match_greedily(pairs, similarity, ignored, persons.is_crowd)
    table = MatchTable(
        image_ids=pairs.image_ids,
        persons=np.bincount(pairs.person_images[~ignored], minlength=len(pairs.image_ids)),
        images=pairs.detection_images,
        scores=results.scores[pairs.detections],
        matched=matched,
        ignored=on_ignored,
    )
    return float(precision_curves(table).mean())


def _errors(pairs: Pairs, persons: PersonInstances, results: PoseResults, sigmas: np.ndarray) -> np.ndarray:
    """[G, K]: error in kappas of the prediction most similar to each person, NaN where the image has no prediction."""
    order = np.lexsort((similarities(pairs, persons, results.keypoints, sigmas), pairs.person))
    best = order[np.flatnonzero(np.diff(pairs.person[order], append=-1))]
    person, prediction = pairs.person[best], pairs.detections[pairs.detection[best]]
    away = (results.keypoints[prediction] - persons.keypoints[person])[:, :, :2].transpose(2, 0, 1)
    errors = np.full(persons.keypoints.shape[:2], np.nan)
    errors[person] = np.sqrt(squared_errors(away, persons.areas[person], sigmas))
    return errors


def _median(errors: np.ndarray) -> float | None:
    known = errors[~np.isnan(errors)]
    return float(np.median(known)) if len(known) else None
