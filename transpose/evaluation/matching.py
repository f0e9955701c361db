"""COCO matching of predictions to annotated persons by OKS, vectorised over all images and thresholds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from transpose.data.coco import CocoAnnotations, PersonInstances
from transpose.errors import InputError
from transpose.evaluation.matches import THRESHOLDS, MatchTable
from transpose.inference.poses import PoseResults

_PAIRS_AT_ONCE = 8_000
"""Chosen to fit the CPU cache."""

MAX_DETECTIONS = 20
"""Predictions evaluated per image, those with the highest scores."""


@dataclass(frozen=True)
class Pairs:
    """All P pairs of a prediction and an annotated person in the same image, and the evaluated predictions."""

    image_ids: np.ndarray
    """[I] int64, sorted."""
    detections: np.ndarray
    """[D] indices into the results, by image and descending score."""
    detection_images: np.ndarray
    """[D] indices into `image_ids`; sorted."""
    detection_ranks: np.ndarray
    """[D] rank by score within the image, from 0."""
    person_images: np.ndarray
    """[G] index into `image_ids` of each annotated person."""
    detection: np.ndarray
    """[P] indices into `detections`; sorted."""
    person: np.ndarray
    """[P] indices into the annotated persons; ascending for each prediction."""


def require_known_images(annotations: CocoAnnotations, results: PoseResults) -> None:
    """Check that every result is in an image of the annotations.

    Raises:
        InputError: one is not.
    """
    unknown = np.flatnonzero(annotations.images.find(results.image_ids) < 0)
    if len(unknown):
        problem = f"result {unknown[0]} is in image {results.image_ids[unknown[0]]}, which is not in this file"
        raise InputError(problem, file=annotations.source, field="images")


def pair_up(image_ids: np.ndarray, persons: PersonInstances, results: PoseResults) -> Pairs:
    """Pair each image's best predictions with its persons, as in the COCO evaluation."""
    image_ids = np.unique(image_ids)
    result_images = np.searchsorted(image_ids, results.image_ids)
    order = np.lexsort((-results.scores, result_images))
    ranks = _ranks(result_images[order])
    detections = order[ranks < MAX_DETECTIONS]
    detection_images = result_images[detections]
    person_images = np.searchsorted(image_ids, persons.image_ids)
    by_image = np.argsort(person_images, kind="stable")
    first = np.searchsorted(person_images, detection_images, side="left", sorter=by_image)
    counts = np.searchsorted(person_images, detection_images, side="right", sorter=by_image) - first
    detection = np.repeat(np.arange(len(detections)), counts)
    return Pairs(
        image_ids=image_ids,
        detections=detections,
        detection_images=detection_images,
        detection_ranks=ranks[ranks < MAX_DETECTIONS],
        person_images=person_images,
        detection=detection,
        person=by_image[np.repeat(first, counts) + _ranks(detection)],
    )


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


def match_table(
    pairs: Pairs, persons: PersonInstances, scores: np.ndarray, similarity: np.ndarray, ignored: np.ndarray
) -> MatchTable:
    """Match predictions greedily to persons; see `match_greedily`.

    Args:
        scores: [N] of all predictions.
        similarity: [P] OKS of each pair.
        ignored: [G] bool: persons that are not evaluated.
    """
    matched, on_ignored = match_greedily(pairs, similarity, ignored, persons.is_crowd)
    return MatchTable(
        image_ids=pairs.image_ids,
        persons=np.bincount(pairs.person_images[~ignored], minlength=len(pairs.image_ids)),
        images=pairs.detection_images,
        scores=scores[pairs.detections],
        matched=matched,
        ignored=on_ignored,
    )


def match_greedily(
    pairs: Pairs, similarity: np.ndarray, ignored: np.ndarray, crowd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Match every prediction, in order of score, to the most similar unmatched person, at each OKS threshold.

    The rules are those of the COCO evaluation: evaluated persons come before ignored ones; a crowd can be matched many
    times; of equally similar persons the last one is taken.

    Args:
        pairs: pairs of D predictions and G persons.
        similarity: [P] OKS of each pair.
        ignored: [G] bool: matching this person makes a prediction ignored.
        crowd: [G] bool.

    Returns:
        [D, T] bool matched, and [D, T] bool matched to an ignored person.
    """
    # The bits of each integer are the thresholds.
    passed = np.searchsorted(np.minimum(THRESHOLDS, 1 - 1e-10), similarity, side="right")
    close = (1 << passed) - 1
    matched, on_ignored = np.zeros((2, len(pairs.detections)), dtype=np.int64)
    taken, single_use = np.zeros(len(ignored), dtype=np.int64), np.where(crowd, 0, -1)
    for step in _steps(pairs, np.flatnonzero(passed), similarity, ignored):
        detection, person = pairs.detection[step], pairs.person[step]
        hits = close[step] & ~matched[detection] & ~taken[person]
        matched[detection] |= hits
        on_ignored[detection] |= np.where(ignored[person], hits, 0)
        taken[person] |= hits & single_use[person]
    return _thresholds_of(matched), _thresholds_of(on_ignored)


def _steps(pairs: Pairs, near: np.ndarray, similarity: np.ndarray, ignored: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the pairs `near` in matching order, in steps with at most one pair per image.

    Predictions come in order of score, and the persons of each prediction in order of preference.
    """
    person = pairs.person[near]
    near = near[np.lexsort((-person, -similarity[near], ignored[person], pairs.detection[near]))]
    detection = pairs.detection[near]
    step = np.stack((_ranks(detection), pairs.detection_ranks[detection]))
    order = np.lexsort(step)
    starts = np.flatnonzero(np.diff(step[:, order], axis=1).any(axis=0)) + 1
    yield from np.split(near[order], starts)


def _thresholds_of(bits: np.ndarray) -> np.ndarray:
    """Unpack bits [N] to thresholds, [N, T] bool."""
    return (bits[:, None] >> np.arange(len(THRESHOLDS)) & 1).astype(bool)


def _ranks(groups: np.ndarray) -> np.ndarray:
    """Return the position of each element within its group, for sorted groups [N]."""
    return np.arange(len(groups)) - np.searchsorted(groups, groups)


def _points(keypoints: np.ndarray, rows: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return x and y [2, P, n] of the keypoints `chosen` [P, n] in rows [P] of keypoints [N, K, 3]."""
    positions = 3 * (rows[:, None] * keypoints.shape[1] + chosen)
    return keypoints.reshape(-1).take((positions, positions + 1))


def _offsets_from_box(points: np.ndarray, boxes_xywh: np.ndarray) -> np.ndarray:
    """Return offsets [2, P, K] of points from boxes [4, P, 1] enlarged by their size on each side; 0 inside."""
    corner, sides = boxes_xywh[:2], boxes_xywh[2:]
    return np.maximum(corner - sides - points, 0) + np.maximum(points - (corner + 2 * sides), 0)
