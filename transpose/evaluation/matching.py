"""The COCO evaluation's matching of predictions and annotated persons, in all images and at all thresholds at once."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from transpose.data.coco import PersonInstances
from transpose.evaluation.matches import THRESHOLDS
from transpose.inference.poses import PoseResults

MAX_DETECTIONS = 20
"""Predictions that count in an image, the best scored ones."""


@dataclass(frozen=True)
class Pairs:
    """All P pairs of a prediction and an annotated person of the same image, and the predictions that count."""

    image_ids: np.ndarray
    """[I] int64, sorted."""
    detections: np.ndarray
    """[D] positions in the results, by image and falling score."""
    detection_images: np.ndarray
    """[D] position in `image_ids`; sorted."""
    detection_ranks: np.ndarray
    """[D] 0 for the best scored of an image."""
    person_images: np.ndarray
    """[G] position in `image_ids` of each annotated person."""
    detection: np.ndarray
    """[P] position in `detections`; sorted."""
    person: np.ndarray
    """[P] position among the annotated persons; rising for each prediction."""


def pair_up(image_ids: np.ndarray, persons: PersonInstances, results: PoseResults) -> Pairs:
    """Pair each image's best scored predictions with its persons, as the COCO evaluation does."""
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


def match_greedily(
    pairs: Pairs, similarity: np.ndarray, ignored: np.ndarray, crowd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give every prediction, best scored first, the most similar person that is still free, at each OKS threshold.

    The COCO evaluation's rules: persons that count go before ignored ones; a crowd is never used up; of equally similar
    persons the last one is taken.

    Args:
        pairs: of D predictions and G persons.
        similarity: [P] of each pair.
        ignored: [G] bool: matching this person makes a prediction ignored.
        crowd: [G] bool.

    Returns:
        [D, T] bool matched, and [D, T] bool matched to an ignored person.
    """
    # Sets of thresholds are bits of an integer.
    passed = np.searchsorted(np.minimum(THRESHOLDS, 1 - 1e-10), similarity, side="right")
    close = (1 << passed) - 1
    matched, on_ignored = np.zeros((2, len(pairs.detections)), dtype=np.int64)
    taken, nowhere = np.zeros(len(ignored), dtype=np.int64), np.where(crowd, 0, -1)
    for turn in _turns(pairs, np.flatnonzero(passed), similarity, ignored):
        detection, person = pairs.detection[turn], pairs.person[turn]
        hits = close[turn] & ~matched[detection] & ~taken[person]
        matched[detection] |= hits
        on_ignored[detection] |= np.where(ignored[person], hits, 0)
        taken[person] |= hits & nowhere[person]
    return _thresholds_of(matched), _thresholds_of(on_ignored)


def _turns(pairs: Pairs, near: np.ndarray, similarity: np.ndarray, ignored: np.ndarray) -> Iterator[np.ndarray]:
    """The pairs `near` in the order in which they are tried; a turn has one pair of each image at most.

    Each image's best scored prediction goes first, and tries the person that it would rather have first.
    """
    person = pairs.person[near]
    near = near[np.lexsort((-person, -similarity[near], ignored[person], pairs.detection[near]))]
    detection = pairs.detection[near]
    turn = np.stack((_ranks(detection), pairs.detection_ranks[detection]))
    order = np.lexsort(turn)
    starts = np.flatnonzero(np.diff(turn[:, order], axis=1).any(axis=0)) + 1
    yield from np.split(near[order], starts)


def _thresholds_of(bits: np.ndarray) -> np.ndarray:
    """[N, T] bool of sets [N] of thresholds."""
    return (bits[:, None] >> np.arange(len(THRESHOLDS)) & 1).astype(bool)


def _ranks(groups: np.ndarray) -> np.ndarray:
    """Position of each element within its group, for sorted groups [N]."""
    return np.arange(len(groups)) - np.searchsorted(groups, groups)
