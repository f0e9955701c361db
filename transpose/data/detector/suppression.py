"""Non-maximum suppression."""

import numpy as np


def suppress(boxes_xyxy: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Return the positions of the boxes [N, 4] to keep, best first.

    A box is dropped if its intersection over union with a better kept box exceeds the threshold. Of boxes with equal
    scores the first is better.
    """
    order = np.argsort(-scores, kind="stable")
    kept = []
    while len(order):
        kept.append(order[0])
        order = order[1:][_overlaps(boxes_xyxy[order[0]], boxes_xyxy[order[1:]]) <= threshold]
    return np.array(kept, dtype=np.int64)


def _overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    start, end = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    intersections = np.maximum(end - start, 0).prod(axis=1)
    unions = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(axis=1) - intersections
    return np.divide(intersections, unions, out=np.zeros(len(others)), where=unions > 0)
