"""Person scores and OKS non-maximum suppression."""

from collections.abc import Iterator

import numpy as np

_PAIRS_AT_ONCE = 20_000
"""Chosen to fit the CPU cache."""
_FILTER_KEYPOINTS = 3
_ROUNDING = 1e-9


def rescore(box_scores: np.ndarray, keypoint_scores: np.ndarray, threshold: float = 0.2) -> np.ndarray:
    """Compute each person's score: box score times the mean of keypoint scores above the threshold, 0 if none is.

    Args:
        box_scores: [N].
        keypoint_scores: [N, K].

    Returns:
        [N] float64.
    """
    return box_scores.astype(np.float64) * mean_keypoint_score(keypoint_scores, threshold)


def mean_keypoint_score(keypoint_scores: np.ndarray, threshold: float = 0.2) -> np.ndarray:
    """Return [N] float64: mean of each person's keypoint scores [N, K] above the threshold, 0 if none is."""
    scores = keypoint_scores.astype(np.float64)
    counted = scores > threshold
    return (scores * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)


def best_scored_first(scores: np.ndarray, image_ids: np.ndarray) -> np.ndarray:
    """Return indices [N] int64 sorted by image id and descending score; of equal scores, the last comes first.

    The official suppression sorts an image's scores in ascending order and reverses the result; mmpose does the same.
    The evaluation keeps the order of equal scores, so this order decides which of them counts first.
    """
    last_first = np.arange(len(scores), 0, -1)
    return np.lexsort((last_first, -scores, image_ids))


def oks_nms(
    keypoints: np.ndarray,
    scores: np.ndarray,
    areas: np.ndarray,
    image_ids: np.ndarray,
    sigmas: np.ndarray,
    threshold: float = 0.9,
) -> np.ndarray:
    """Greedy non-maximum suppression in each image: drop persons with OKS above the threshold to a better one.

    OKS between two persons uses all K keypoints, variances (2 sigma)^2 and the mean of the two areas.

    Args:
        keypoints: [N, K, 2 or more] (x, y, ...) in image pixels.
        scores: [N].
        areas: [N] areas of the persons in square image pixels; the official evaluation uses the padded boxes.
        image_ids: [N].
        sigmas: [K].

    Returns:
        [kept] int64 indices in the order of `best_scored_first`.
    """
    order = best_scored_first(scores, image_ids)
    points, sizes, images = (
        np.ascontiguousarray(keypoints[order, :, :2].transpose(2, 0, 1), dtype=np.float64),
        areas[order].astype(np.float64),
        image_ids[order],
    )
    # OKS is a mean of K terms of at most 1, so a few terms give an upper bound. The terms with the smallest sigmas
    # exclude nearly all pairs.
    steepest = np.argsort(sigmas, kind="stable")[:_FILTER_KEYPOINTS]
    few, shallower = points.take(steepest, axis=2), len(sigmas) - len(steepest)
    keep = np.ones(len(order), dtype=bool)
    for better, worse in _pairs_of_images(images):
        bound = _keypoint_similarities(few, sizes, better, worse, sigmas[steepest]).sum(axis=1) + shallower
        possible = np.flatnonzero(bound > len(sigmas) * threshold - _ROUNDING)
        better, worse = better[possible], worse[possible]
        similar = _keypoint_similarities(points, sizes, better, worse, sigmas).mean(axis=1) > threshold
        # Pairs are sorted by the score of the better person, so `keep[first]` is final here.
        for first, second in zip(better[similar].tolist(), worse[similar].tolist(), strict=True):
            if keep[first]:
                keep[second] = False
    return order[keep]


def _pairs_of_images(images: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield all pairs of positions (a < b) of the same image in sorted images [N], by ascending a, in blocks."""
    count = len(images)
    positions = np.arange(count)
    followers = np.searchsorted(images, images, side="right") - positions - 1
    ends = np.cumsum(followers)
    start = 0
    while start < count:
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, side="right")))
        counts = followers[start:stop]
        first = np.repeat(positions[start:stop], counts)
        distance = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
        yield first, first + distance
        start = stop


def _keypoint_similarities(
    points: np.ndarray, areas: np.ndarray, a: np.ndarray, b: np.ndarray, sigmas: np.ndarray
) -> np.ndarray:
    """Return [pairs, keypoints]: exp(-d^2 / (2 area (2 sigma)^2)) of pairs of persons with points [2, N, keypoints]."""
    x, y = points
    squared = np.square(x.take(a, axis=0) - x.take(b, axis=0)) + np.square(y.take(a, axis=0) - y.take(b, axis=0))
    area = (areas.take(a) + areas.take(b)) / 2 + np.spacing(1)
    return np.exp(-squared / np.square(2 * sigmas) / area[:, None] / 2)
