"""The COCO evaluation's matching, vectorised: all images, thresholds and joints at once.

The COCO evaluator stays the judge of the whole person's AP; this serves the figures that it does not give.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from transpose.data.coco import PersonInstances
from transpose.evaluation.matches import THRESHOLDS
from transpose.evaluation.results import PoseResults

MAX_DETECTIONS = 20
"""Predictions that count in an image, the best scored ones."""

_CELLS_AT_ONCE = 200_000


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
    person_ranks: np.ndarray
    """[G] 0 for the first annotated person of an image."""
    detection: np.ndarray
    """[P] position in `detections`."""
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
    person_ranks = np.empty_like(by_image)
    person_ranks[by_image] = _ranks(person_images[by_image])
    first = np.searchsorted(person_images, detection_images, side="left", sorter=by_image)
    counts = np.searchsorted(person_images, detection_images, side="right", sorter=by_image) - first
    detection = np.repeat(np.arange(len(detections)), counts)
    within = np.arange(len(detection)) - np.repeat(np.cumsum(counts) - counts, counts)
    return Pairs(
        image_ids=image_ids,
        detections=detections,
        detection_images=detection_images,
        detection_ranks=ranks[ranks < MAX_DETECTIONS],
        person_images=person_images,
        person_ranks=person_ranks,
        detection=detection,
        person=by_image[np.repeat(first, counts) + within],
    )


def squared_errors(
    pairs: Pairs, persons: PersonInstances, results: PoseResults, sigmas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Squared distances of every pair and joint in units of area (2 sigma)^2; OKS is the mean of exp(-half of them).

    Returns:
        [P, K] distance to the person's joint, and [P, K] distance to the person's box, grown by its size on each side:
        the COCO evaluation takes it where a person has no labelled joint.
    """
    points = results.keypoints[pairs.detections[pairs.detection], :, :2]
    area = persons.areas[pairs.person, None] + np.spacing(1)
    to_joint = points - persons.keypoints[pairs.person, :, :2]
    corner, sides = persons.boxes_xywh[pairs.person, None, :2], persons.boxes_xywh[pairs.person, None, 2:]
    to_box = np.maximum(corner - sides - points, 0) + np.maximum(points - (corner + 2 * sides), 0)
    squared = np.stack((np.square(to_joint).sum(axis=2), np.square(to_box).sum(axis=2)))
    to_joint_squared, to_box_squared = squared / np.square(2 * sigmas) / area
    return to_joint_squared, to_box_squared


def match_greedily(
    pairs: Pairs, similarity: np.ndarray, ignored: np.ndarray, crowd: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Give every prediction, best scored first, the most similar person that is still free, at each OKS threshold.

    The COCO evaluation's rules: persons that count go before ignored ones; a crowd is never used up; of equally similar
    persons the last one is taken. Q questions (joints, say) are answered side by side.

    Args:
        pairs: of D predictions and G persons.
        similarity: [P, Q] of each pair.
        ignored: [G, Q] bool: matching this person makes a prediction ignored.
        crowd: [G] bool.

    Returns:
        [D, Q, T] bool matched, and [D, Q, T] bool matched to an ignored person.
    """
    shape = len(pairs.detections), similarity.shape[1], len(THRESHOLDS)
    matched, on_ignored = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
    required = np.minimum(THRESHOLDS, 1 - 1e-10)
    for block in _blocks(pairs, similarity.shape[1] * len(THRESHOLDS)):
        detections, persons, similar = _padded(pairs, similarity, block)
        free = np.ones((*persons.shape, *shape[1:]), dtype=bool)
        set_aside = ignored.take(persons, axis=0)[..., None]
        endless = crowd.take(persons)[:, :, None, None]
        for rank in range(detections.shape[1]):
            hit, choice = _choose(similar[:, rank, :, :, None] >= required, similar[:, rank], free | endless, set_aside)
            still_free = np.take_along_axis(free, choice, axis=1) & ~hit
            np.put_along_axis(free, choice, still_free, axis=1)
            on_set_aside = np.take_along_axis(np.broadcast_to(set_aside, free.shape), choice, axis=1)
            present = detections[:, rank] >= 0
            place = detections[present, rank]
            matched[place] = hit[present, 0]
            on_ignored[place] = (hit & on_set_aside)[present, 0]
    return matched, on_ignored


def _choose(
    close: np.ndarray, similar: np.ndarray, available: np.ndarray, set_aside: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The person that one prediction of each image takes at each threshold.

    Args:
        close: [B, M, Q, T] bool, similar enough.
        similar: [B, M, Q].
        available: [B, M, Q, T] bool.
        set_aside: [B, M, Q, 1] bool, taken only where no other one can be.

    Returns:
        [B, 1, Q, T] bool somebody was taken, and [B, 1, Q, T] whom.
    """
    candidates = available & close
    counting = candidates & ~set_aside
    eligible = np.where(np.logical_or.reduce(counting, axis=1, keepdims=True), counting, candidates)
    # Persons stand in reverse, so that argmax finds the last of equals.
    choice = np.where(eligible, similar[..., None], -1.0).argmax(axis=1)[:, None]
    return np.logical_or.reduce(eligible, axis=1, keepdims=True), choice


def _blocks(pairs: Pairs, cells_per_person: int) -> Iterator[np.ndarray]:
    """Positions of images with pairs, images of like numbers of persons together, in blocks of bounded size."""
    paired = np.unique(pairs.detection_images[pairs.detection])
    persons = np.bincount(pairs.person_images, minlength=len(pairs.image_ids))
    paired = paired[np.argsort(persons[paired], kind="stable")]
    cells = np.cumsum(persons[paired] * cells_per_person)
    for block in np.split(paired, np.flatnonzero(np.diff(cells // _CELLS_AT_ONCE)) + 1):
        if len(block):
            yield block


def _padded(pairs: Pairs, similarity: np.ndarray, block: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images of a block: detections [B, R], persons [B, M] in reverse (-1 where none), and similarity [B, R, M, Q].

    Where there is none, the similarity is -1, which no threshold admits.
    """
    slot = np.full(len(pairs.image_ids), -1)
    slot[block] = np.arange(len(block))
    chosen = slot[pairs.detection_images[pairs.detection]] >= 0
    detection, person = pairs.detection[chosen], pairs.person[chosen]
    row, rank = slot[pairs.detection_images[detection]], pairs.detection_ranks[detection]
    place = pairs.person_ranks[person].max() - pairs.person_ranks[person]
    detections = np.full((len(block), rank.max() + 1), -1)
    persons = np.full((len(block), place.max() + 1), -1)
    similar = np.full((*detections.shape, persons.shape[1], similarity.shape[1]), -1.0)
    detections[row, rank] = detection
    persons[row, place] = person
    similar[row, rank, place] = similarity[chosen]
    return detections, persons, similar


def _ranks(groups: np.ndarray) -> np.ndarray:
    """Position of each element within its group, for sorted groups [N]."""
    return np.arange(len(groups)) - np.searchsorted(groups, groups)
