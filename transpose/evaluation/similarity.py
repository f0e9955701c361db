"""Object keypoint similarity (OKS) of predictions and annotated persons, as in the COCO evaluation."""

import numpy as np

from transpose.data.coco import PersonInstances
from transpose.evaluation.matching import Pairs

_PAIRS_AT_ONCE = 8_000
"""Chosen to fit the CPU cache."""


def similarities(pairs: Pairs, persons: PersonInstances, keypoints: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Compute the OKS [P] of each pair.

    OKS is over the person's labelled keypoints. For a person without any, it is over all keypoints and uses the
    distance to the person's box. The operations and their order are those of the COCO evaluation, so results are
    bitwise equal. Rounding of a sum depends on its length, so persons are grouped by number of labelled keypoints.

    Args:
        keypoints: [N, K, 3] of all predictions, x and y in image pixels.
        sigmas: [K].
    """
    labelled = persons.keypoints[:, :, 2] > 0
    order = np.argsort(~labelled, axis=1, kind="stable")
    counts = np.count_nonzero(labelled, axis=1)
    oks = np.empty(len(pairs.person))
    for count in np.unique(counts):
        chosen = np.flatnonzero(counts[pairs.person] == count)
        for part in np.split(chosen, range(_PAIRS_AT_ONCE, len(chosen), _PAIRS_AT_ONCE)):
            person, prediction = pairs.person[part], pairs.detections[pairs.detection[part]]
            chosen = order[person, : count or None]
            points = _points(keypoints, prediction, chosen)
            if count:
                offsets = points - _points(persons.keypoints, person, chosen)
            else:
                offsets = _offsets_from_box(points, persons.boxes_xywh[person].T[..., None])
            squared = squared_errors(offsets, persons.areas[person], sigmas[chosen])
            oks[part] = np.exp(-squared / 2).sum(axis=1) / chosen.shape[1]
    return oks


def squared_errors(offsets: np.ndarray, areas: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """Return squared lengths [P, K] of offsets [2, P, K] in units of area (2 sigma)^2; OKS terms are exp(-x / 2)."""
    return (np.square(offsets[0]) + np.square(offsets[1])) / np.square(2 * sigmas) / (areas[:, None] + np.spacing(1))


def _points(keypoints: np.ndarray, rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return x and y [2, P, n] of the keypoints `chosen` [P, n] in rows [P] of keypoints [N, K, 3]."""
    positions = 3 * (rows[:, None] * keypoints.shape[1] + chosen)
    return keypoints.reshape(-1).take((positions, positions + 1))


def _offsets_from_box(points: np.ndarray, boxes_xywh: np.ndarray) -> np.ndarray:
    """Return offsets [2, P, K] of points from boxes [4, P, 1] enlarged by their size on each side; 0 inside."""
    corner, sides = boxes_xywh[:2], boxes_xywh[2:]
    return np.maximum(corner - sides - points, 0) + np.maximum(points - (corner + 2 * sides), 0)
