"""The class of each annotated keypoint: good, jitter, inversion, swap, miss, or undetected."""

from enum import IntEnum

import numpy as np

from transpose.data.coco import PersonInstances
from transpose.evaluation.error_types.assignment import Assignment
from transpose.evaluation.matching import squared_errors
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton

GOOD_SIMILARITY = 0.85
"""Keypoint similarity from which an error is within the spread of human annotators."""

NEAR_SIMILARITY = 0.5
"""Keypoint similarity from which a prediction is near an annotated keypoint."""


class KeypointClass(IntEnum):
    """Class of an annotated keypoint, after Ronchi and Perona (ICCV 2017, arXiv 1707.05388, section 3.1)."""

    UNLABELLED = 0
    """Not an error: the keypoint is not annotated, or its person is not evaluated."""
    GOOD = 1
    """Similarity with its own annotation of at least 0.85."""
    JITTER = 2
    """Similarity with its own annotation from 0.5 to 0.85."""
    INVERSION = 3
    """Nearest to the mirrored keypoint of the same person, with a similarity of at least 0.5."""
    SWAP = 4
    """Nearest to the same or the mirrored keypoint of another person, with a similarity of at least 0.5."""
    MISS = 5
    """The prediction has a similarity below 0.5 with all of these."""
    UNDETECTED = 6
    """No prediction is assigned to the person: a background false negative in the paper."""

    @property
    def label(self) -> str:
        """The name in lower case, for reports."""
        return self.name.lower()


def classify_keypoints(
    assignment: Assignment, persons: PersonInstances, results: PoseResults, skeleton: Skeleton
) -> np.ndarray:
    """Return the `KeypointClass` [G, K] int64 of each annotated keypoint.

    The similarity of a keypoint is its term of OKS, exp(-d^2 / (2 area (2 sigma)^2)), with the area of the person it is
    compared with. The thresholds and the order of similarities are those of the paper's code, coco-analyze, with one
    exception: a keypoint with a similarity of at least 0.85 is good also if another person's keypoint is nearer.
    """
    found, labelled = assignment.found, persons.keypoints[..., 2] > 0
    rows = assignment.person_of[found]
    points = results.keypoints[assignment.results_of[found]][..., :2]
    own = keypoint_similarities(points, persons, rows, skeleton)
    mirror = skeleton.flip_permutation
    mirrored = keypoint_similarities(points, persons, rows, skeleton, mirror)
    mirrored[:, mirror == np.arange(len(mirror))] = -1
    others = _similarities_to_others(assignment, persons, results, skeleton)[found]
    best = np.maximum.reduce((own, mirrored, others))
    classes = np.select(
        [own >= GOOD_SIMILARITY, best < NEAR_SIMILARITY, own == best, mirrored == best],
        [KeypointClass.GOOD, KeypointClass.MISS, KeypointClass.JITTER, KeypointClass.INVERSION],
        KeypointClass.SWAP,
    )
    found_classes = np.full(labelled.shape, KeypointClass.UNDETECTED, dtype=np.int64)
    found_classes[rows] = classes
    return np.where(labelled & assignment.is_evaluated[:, None], found_classes, KeypointClass.UNLABELLED)


def keypoint_similarities(
    points: np.ndarray,
    persons: PersonInstances,
    rows: np.ndarray,
    skeleton: Skeleton,
    keypoints: np.ndarray | None = None,
) -> np.ndarray:
    """Return the OKS term [M, K] of each predicted point with a person's keypoint; -1 where it is not labelled.

    Args:
        points: [M, K, 2] image pixels.
        rows: [M] indices of the persons to compare with.
        keypoints: [K] index of the person's keypoint to compare each point with; None: the same.
    """
    annotated = persons.keypoints[rows] if keypoints is None else persons.keypoints[rows][:, keypoints]
    offsets = (points - annotated[..., :2]).transpose(2, 0, 1)
    terms = np.exp(-squared_errors(offsets, persons.areas[rows], skeleton.oks_sigmas) / 2)
    return np.where(annotated[..., 2] > 0, terms, -1)


def _similarities_to_others(
    assignment: Assignment, persons: PersonInstances, results: PoseResults, skeleton: Skeleton
) -> np.ndarray:
    """Return the largest similarity [D, K] with the same or mirrored keypoint of a person that is not the assigned one.

    It is -1 for predictions that are not assigned, and without other persons.
    """
    pairs = assignment.pairs
    largest = np.full((len(assignment.person_of), len(skeleton)), -1.0)
    assigned = assignment.person_of[pairs.detection]
    other = np.flatnonzero((assigned >= 0) & (assigned != pairs.person) & ~persons.is_crowd[pairs.person])
    detection, rows = pairs.detection[other], pairs.person[other]
    points = results.keypoints[assignment.results_of[detection]][..., :2]
    for keypoints in (None, skeleton.flip_permutation):
        np.maximum.at(largest, detection, keypoint_similarities(points, persons, rows, skeleton, keypoints))
    return largest
