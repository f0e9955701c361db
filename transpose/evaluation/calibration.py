"""Calibration of keypoint scores against their OKS terms and of person scores against OKS."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from transpose.config.base import Settings
from transpose.config.bootstrap import Bootstrap
from transpose.evaluation.error_types.groups import by_size
from transpose.evaluation.error_types.keypoints import keypoint_similarities
from transpose.evaluation.error_types.mended import APGains, Diagnosed
from transpose.evaluation.intervals import Estimate, estimate_of
from transpose.evaluation.reliability import Reliability, ReliabilityTable
from transpose.evaluation.rescoring import size_corrected_scores

_BEYOND = 0.2
"""How far scores may be outside of [0, 1]: the maximum of a heatmap can be a little above 1."""


class Calibration(Settings):
    """Reliability of the scores; None for scores that are absent or are not probabilities, with a line in `notes`."""

    keypoints: Reliability | None
    """Keypoint score against its own term of OKS, of labelled keypoints of found persons."""
    keypoints_by_size: dict[str, Reliability]
    keypoints_by_visibility: dict[str, Reliability]
    persons: Reliability | None
    """Person score against the OKS with the assigned person, 0 for predictions without one."""
    persons_by_size: dict[str, Reliability]
    """Of predictions that are assigned to a person."""
    rescored: Estimate | None
    """AP gained with `size_corrected_scores`; `count` is the number of predictions."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Scores:
    """N scores in [0, 1] and the OKS or OKS terms that they predict."""

    images: np.ndarray
    scores: np.ndarray
    truth: np.ndarray

    def reliability(self, image_ids: np.ndarray, chosen: np.ndarray, bootstrap: Bootstrap) -> Reliability:
        images, scores, truth = self.images[chosen], self.scores[chosen], self.truth[chosen]
        return ReliabilityTable.of(image_ids, images, scores, truth).reliability(bootstrap)


def calibrate(gains: APGains, has_keypoint_scores: bool) -> Calibration:
    """Measure the calibration of scores, and the AP that scores corrected for size gain.

    Args:
        has_keypoint_scores: the results file has a score for each keypoint.
    """
    diagnosed, bootstrap, notes = gains.diagnosed, gains.bootstrap, []
    image_ids = diagnosed.assignment.pairs.image_ids
    keypoints, by_visibility, keypoints_by_size, rescored = None, {}, {}, None
    if not has_keypoint_scores:
        notes.append("the file has no keypoint scores")
    elif not _are_probabilities(diagnosed.results.keypoints[..., 2]):
        notes.append("keypoint scores are not in [0, 1]")
    else:
        scores, visibility, sizes = _keypoint_scores(diagnosed)
        keypoints = scores.reliability(image_ids, np.ones(len(scores.images), dtype=bool), bootstrap)
        by_visibility = _by_group(scores, visibility, image_ids, bootstrap)
        keypoints_by_size = _by_group(scores, sizes, image_ids, bootstrap)
        gain = gains.scores(size_corrected_scores(diagnosed.results, diagnosed.skeleton))
        rescored = estimate_of(gain, len(diagnosed.results), bootstrap.level)
    persons, persons_by_size = None, {}
    if _are_probabilities(diagnosed.results.scores):
        scores, sizes = _person_scores(diagnosed)
        persons = scores.reliability(image_ids, np.ones(len(scores.images), dtype=bool), bootstrap)
        persons_by_size = _by_group(scores, sizes, image_ids, bootstrap)
    else:
        notes.append("person scores are not in [0, 1]")
    return Calibration(
        keypoints=keypoints,
        keypoints_by_size=keypoints_by_size,
        keypoints_by_visibility=by_visibility,
        persons=persons,
        persons_by_size=persons_by_size,
        rescored=rescored,
        notes=tuple(notes),
    )


def _are_probabilities(scores: np.ndarray) -> bool:
    return bool(((scores >= -_BEYOND) & (scores <= 1 + _BEYOND)).all())


def _by_group(
    scores: _Scores, groups: Mapping[str, np.ndarray], image_ids: np.ndarray, bootstrap: Bootstrap
) -> dict[str, Reliability]:
    return {name: scores.reliability(image_ids, chosen, bootstrap) for name, chosen in groups.items()}


def _keypoint_scores(diagnosed: Diagnosed) -> tuple[_Scores, Mapping[str, np.ndarray], Mapping[str, np.ndarray]]:
    """Return the N labelled keypoints of found persons, and which [N] are of each visibility and size."""
    assignment, persons = diagnosed.assignment, diagnosed.annotations.persons
    found = assignment.found
    rows, predicted = assignment.person_of[found], diagnosed.results.keypoints[assignment.results_of[found]]
    truth = keypoint_similarities(predicted[..., :2], persons, rows, diagnosed.skeleton)
    at, keypoint = np.nonzero(truth >= 0)
    labels = persons.keypoints[rows[at], keypoint, 2]
    scores = _Scores(
        assignment.pairs.detection_images[found[at]],
        np.clip(predicted[at, keypoint, 2], 0, 1),
        truth[at, keypoint],
    )
    sizes = {name: chosen[rows[at]] for name, chosen in by_size(persons).items()}
    return scores, {"occluded": labels == 1, "visible": labels == 2}, sizes


def _person_scores(diagnosed: Diagnosed) -> tuple[_Scores, Mapping[str, np.ndarray]]:
    """Return the N predictions that are not on ignored persons, and which [N] are assigned to a person of each size."""
    assignment = diagnosed.assignment
    counted = np.flatnonzero(~assignment.on_ignored)
    person_of = assignment.person_of[counted]
    scores = _Scores(
        assignment.pairs.detection_images[counted],
        np.clip(diagnosed.scores[counted], 0, 1),
        assignment.assigned_oks[counted],
    )
    sizes = by_size(diagnosed.annotations.persons)
    return scores, {name: np.isin(person_of, np.flatnonzero(chosen)) for name, chosen in sizes.items()}
