"""How alike predictions and annotated persons are: object keypoint similarity (OKS), in the COCO evaluation's terms."""

import numpy as np

from transpose.data.coco import PersonInstances
from transpose.evaluation.matching import Pairs

_PAIRS_AT_ONCE = 8_000
"""Few enough for a processor's cache."""


def similarities(pairs: Pairs, persons: PersonInstances, keypoints: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """[P]: OKS of each pair over the person's labelled keypoints; over all keypoints, to its box, for a person without
    any.

    The COCO evaluation's operations in its order, so that not even a last bit, and thus no comparison, differs. A sum's
    rounding depends on its length: persons of equally many labelled keypoints are taken together.

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
                away = points - _points(persons.keypoints, person, chosen)
            else:
                away = _beyond_box(points, persons.boxes_xywh[person].T[..., None])
            squared = squared_errors(away, persons.areas[person], sigmas[chosen])
            oks[part] = np.exp(-squared / 2).sum(axis=1) / chosen.shape[1]
    return oks


def squared_errors(away: np.ndarray, areas: np.ndarray, sigmas: np.ndarray) -> np.ndarray:
    """[P, K]: squared lengths of `away` [2, P, K] in units of area [P] (2 sigma)^2; OKS means exp(-half of them)."""
    return (np.square(away[0]) + np.square(away[1])) / np.square(2 * sigmas) / (areas[:, None] + np.spacing(1))


def _points(keypoints: np.ndarray, rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """[2, P, n]: x and y of the keypoints `chosen` [P, n] in rows [P] of keypoints [N, K, 3]."""
    places = 3 * (rows[:, None] * keypoints.shape[1] + chosen)
    return keypoints.reshape(-1).take((places, places + 1))


def _beyond_box(points: np.ndarray, boxes_xywh: np.ndarray) -> np.ndarray:
    """[2, P, K]: how far points lie outside of boxes [4, P, 1] that are grown by their size on each side."""
    corner, sides = boxes_xywh[:2], boxes_xywh[2:]
    return np.maximum(corner - sides - points, 0) + np.maximum(points - (corner + 2 * sides), 0)
