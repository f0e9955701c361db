"""Predictions with one type of error mended, and the AP that this gains."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from transpose.config.bootstrap import Bootstrap
from transpose.data.coco import CocoAnnotations
from transpose.evaluation.bootstrap import resample
from transpose.evaluation.error_types.assignment import Assignment
from transpose.evaluation.error_types.keypoints import KeypointClass
from transpose.evaluation.error_types.predictions import PredictionClass
from transpose.evaluation.error_types.scores import best_of_person
from transpose.evaluation.intervals import Resamples
from transpose.evaluation.oks import match_tables
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton

MOST_SAMPLES = 200
"""Resamples of each gain: its interval uses their variance only, which these determine to about 5 %."""


@dataclass(frozen=True)
class Diagnosed:
    """Predictions with the class of each keypoint and each prediction."""

    annotations: CocoAnnotations
    results: PoseResults
    skeleton: Skeleton
    assignment: Assignment
    keypoint_classes: np.ndarray
    """[G, K] `KeypointClass`."""
    prediction_classes: np.ndarray
    """[D] `PredictionClass`."""

    @property
    def scores(self) -> np.ndarray:
        """[D] float64: scores of the evaluated predictions."""
        return self.results.scores[self.assignment.results_of]


@dataclass(frozen=True)
class APGains:
    """Computes the AP that is gained when errors of one type are mended; all gains share their resampled images."""

    diagnosed: Diagnosed
    bootstrap: Bootstrap
    base: Resamples
    """AP of the predictions as they are."""

    @classmethod
    def of(cls, diagnosed: Diagnosed, bootstrap: Bootstrap) -> "APGains":
        """Compute the AP of the predictions as they are."""
        fewer = bootstrap.model_copy(update={"samples": min(bootstrap.samples, MOST_SAMPLES)})
        return cls(diagnosed, fewer, _average_precision(diagnosed, fewer))

    def keypoints(self, chosen: np.ndarray) -> Resamples:
        """Return the gain if the keypoints `chosen` [G, K] bool of found persons were at their annotated positions."""
        return self._gain_of_results(_with_true_keypoints(self.diagnosed, chosen))

    def undetected(self) -> Resamples:
        """Return the gain if persons without an assigned prediction were not evaluated, as in the paper's code."""
        missing = self.diagnosed.assignment.is_evaluated & (self.diagnosed.assignment.prediction_of < 0)
        annotations = self.diagnosed.annotations
        annotations = replace(annotations, persons=annotations.persons.select(~missing))
        return self._gain(replace(self.diagnosed, annotations=annotations))

    def predictions(self, kind: PredictionClass) -> Resamples:
        """Return the gain without the predictions of a class.

        Localisation errors that are assigned to a person stay, with all keypoints at their annotated positions.
        """
        diagnosed, results = self.diagnosed, self.diagnosed.results
        chosen = diagnosed.prediction_classes == kind
        if kind is PredictionClass.LOCALISATION:
            results = _with_true_keypoints(diagnosed, _keypoints_of(diagnosed, chosen))
            chosen &= diagnosed.assignment.person_of < 0
        kept = np.ones(len(results), dtype=bool)
        kept[diagnosed.assignment.results_of[chosen]] = False
        return self._gain_of_results(results.select(kept))

    def best_of_person(self) -> Resamples:
        """Return the gain if the most similar of a person's predictions had the highest of their scores."""
        results, rows = self.diagnosed.results, self.diagnosed.assignment.results_of
        highest, best = best_of_person(self.diagnosed.assignment, self.diagnosed.scores)
        scores = results.scores.copy()
        for one, other in zip(rows[highest].tolist(), rows[best].tolist(), strict=True):
            scores[[one, other]] = scores[[other, one]]
        return self.scores(scores)

    def order(self) -> Resamples:
        """Return the gain if the scores were the OKS with the assigned person, the best possible order."""
        results, assignment = self.diagnosed.results, self.diagnosed.assignment
        scores = np.full(len(results), -1.0)
        scores[assignment.results_of] = np.where(assignment.on_ignored, 0, assignment.assigned_oks)
        return self.scores(scores)

    def scores(self, scores: np.ndarray) -> Resamples:
        """Return the gain with other person scores [N]."""
        return self._gain_of_results(replace(self.diagnosed.results, scores=scores))

    def _gain(self, mended: Diagnosed) -> Resamples:
        return _average_precision(mended, self.bootstrap).minus(self.base)

    def _gain_of_results(self, results: PoseResults) -> Resamples:
        return self._gain(replace(self.diagnosed, results=results))


def _average_precision(diagnosed: Diagnosed, bootstrap: Bootstrap) -> Resamples:
    table = match_tables(diagnosed.annotations, diagnosed.results, diagnosed.skeleton)[0]
    return resample(table, bootstrap.samples, bootstrap.seed)


def _with_true_keypoints(diagnosed: Diagnosed, chosen: np.ndarray) -> PoseResults:
    """Return results in which the keypoints `chosen` [G, K] bool of persons are where they are annotated."""
    persons, assignment = diagnosed.annotations.persons, diagnosed.assignment
    chosen = chosen & (persons.keypoints[..., 2] > 0) & (assignment.prediction_of >= 0)[:, None]
    rows, keypoints = np.nonzero(chosen)
    moved = diagnosed.results.keypoints.copy()
    moved[assignment.results_of[assignment.prediction_of[rows]], keypoints, :2] = persons.keypoints[rows, keypoints, :2]
    return replace(diagnosed.results, keypoints=moved)


def _keypoints_of(diagnosed: Diagnosed, chosen: np.ndarray) -> np.ndarray:
    """Return the keypoints [G, K] bool of the persons to which the predictions `chosen` [D] are assigned."""
    of_chosen = np.isin(diagnosed.assignment.prediction_of, np.flatnonzero(chosen))
    return of_chosen[:, None] & (diagnosed.keypoint_classes > KeypointClass.UNLABELLED)


def gains_of_keypoints(gains: APGains) -> Iterator[tuple[KeypointClass, Resamples]]:
    """Yield the gain of each class of keypoint errors."""
    classes = gains.diagnosed.keypoint_classes
    for kind in (KeypointClass.JITTER, KeypointClass.INVERSION, KeypointClass.SWAP, KeypointClass.MISS):
        yield kind, gains.keypoints(classes == kind)
    yield KeypointClass.UNDETECTED, gains.undetected()
