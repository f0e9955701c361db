"""All types of errors of a set of predictions, with counts and the AP that each costs."""

from collections.abc import Mapping

import numpy as np
from pydantic import NonNegativeInt

from transpose.config.base import Settings
from transpose.data.coco import CocoAnnotations
from transpose.evaluation.error_types.assignment import assign
from transpose.evaluation.error_types.groups import keypoint_groups
from transpose.evaluation.error_types.keypoints import KeypointClass, classify_keypoints
from transpose.evaluation.error_types.mended import APGains, Diagnosed, gains_of_keypoints
from transpose.evaluation.error_types.predictions import PredictionClass, classify_predictions
from transpose.evaluation.error_types.scores import best_of_person, out_of_order
from transpose.evaluation.intervals import Estimate, Resamples, estimate_of
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton

_PREDICTION_ERRORS = (PredictionClass.LOCALISATION, PredictionClass.DUPLICATE, PredictionClass.BACKGROUND)


class ErrorGroup(Settings):
    """Keypoints of one group."""

    counts: dict[str, NonNegativeInt]
    """Name of each keypoint class -> number of keypoints."""
    ap_gain: Estimate
    """AP gained if all keypoint errors of the group in found persons were mended; `count` is their number."""


class ErrorTypes(Settings):
    """Errors of a set of predictions; AP gains are fractions, with an interval over images."""

    good: NonNegativeInt
    """Annotated keypoints without an error."""
    correct: NonNegativeInt
    """Predictions without an error."""
    ignored: NonNegativeInt
    """Predictions on crowds and unlabelled persons."""
    beyond_limit: NonNegativeInt
    """Predictions that the evaluation leaves out, because it takes the best 20 per image."""
    keypoints: dict[str, Estimate]
    """Class of keypoint errors -> AP gained if only these were mended; `count` is the number of keypoints."""
    predictions: dict[str, Estimate]
    """Class of wrong predictions -> AP gained if only these were mended; `count` is the number of predictions."""
    scores: dict[str, Estimate]
    """`best_of_person`: `count` persons have their best prediction behind another one. `order`: `count` scores must
    change for all predictions to be in the order of their OKS."""
    groups: dict[str, dict[str, ErrorGroup]] | None
    """What the groups are by -> name -> errors; None if not computed."""

    @property
    def costs(self) -> dict[str, Estimate]:
        """Gains of all types of errors, by name."""
        return {**self.keypoints, **self.predictions, **self.scores}


def diagnose(annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton) -> Diagnosed:
    """Classify all annotated keypoints and all predictions.

    Raises:
        InputError: a result is in an image that the annotations do not contain.
    """
    assignment = assign(annotations, results, skeleton)
    keypoints = classify_keypoints(assignment, annotations.persons, results, skeleton)
    return Diagnosed(annotations, results, skeleton, assignment, keypoints, classify_predictions(assignment))


def error_types(gains: APGains, with_groups: bool) -> ErrorTypes:
    """Count all types of errors and compute the AP that each costs.

    An error of a keypoint is mended by moving it to its annotated position; Ronchi and Perona move it to where its
    class begins. Other errors are mended as `APGains` describes.
    """
    diagnosed = gains.diagnosed
    keypoints, predictions = diagnosed.keypoint_classes, diagnosed.prediction_classes
    counted = predictions != PredictionClass.IGNORED
    wrong_order = out_of_order(diagnosed.scores[counted], diagnosed.assignment.assigned_oks[counted])
    wrong_best = best_of_person(diagnosed.assignment, diagnosed.scores)[0]

    def estimate(gain: Resamples, count: int) -> Estimate:
        return estimate_of(gain, count, gains.bootstrap.level)

    return ErrorTypes(
        good=_count(keypoints, KeypointClass.GOOD),
        correct=_count(predictions, PredictionClass.CORRECT),
        ignored=_count(predictions, PredictionClass.IGNORED),
        beyond_limit=len(diagnosed.results) - len(predictions),
        keypoints={kind.label: estimate(gain, _count(keypoints, kind)) for kind, gain in gains_of_keypoints(gains)},
        predictions={
            kind.label: estimate(gains.predictions(kind), _count(predictions, kind)) for kind in _PREDICTION_ERRORS
        },
        scores={
            "best_of_person": estimate(gains.best_of_person(), len(wrong_best)),
            "order": estimate(gains.order(), int(wrong_order.sum())),
        },
        groups=_groups(gains) if with_groups else None,
    )


def _count(classes: np.ndarray, kind: int) -> int:
    return int((classes == kind).sum())


def _groups(gains: APGains) -> dict[str, dict[str, ErrorGroup]]:
    classes = gains.diagnosed.keypoint_classes
    wrong = (classes > KeypointClass.GOOD) & (classes < KeypointClass.UNDETECTED)

    def group(chosen: np.ndarray) -> ErrorGroup:
        counts = {kind.label: _count(classes[chosen], kind) for kind in KeypointClass if kind}
        mended = wrong & chosen
        gain = estimate_of(gains.keypoints(mended), int(mended.sum()), gains.bootstrap.level)
        return ErrorGroup(counts=counts, ap_gain=gain)

    def members(groups: Mapping[str, np.ndarray]) -> dict[str, ErrorGroup]:
        return {name: group(chosen) for name, chosen in groups.items()}

    found = keypoint_groups(gains.diagnosed.annotations, gains.diagnosed.skeleton)
    return {kind: members(groups) for kind, groups in found.items()}
