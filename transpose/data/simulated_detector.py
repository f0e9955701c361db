"""Simulated person boxes: ground-truth boxes with random errors, for data without a detector."""

import numpy as np

from transpose.config.dataset import SimulatedBoxes
from transpose.data.boxes import PersonBoxes, boxes_of_images
from transpose.data.coco import CocoAnnotations, clip_boxes

_DUPLICATE_JITTER = 2.0
"""Factor of the jitter of a person's second box."""


def simulated_boxes(annotations: CocoAnnotations, errors: SimulatedBoxes) -> PersonBoxes:
    """Simulate the detections of all persons that are not crowds, with or without keypoints.

    Centres have a normal, sides a log-normal error. Some persons are missed, some are found twice (with twice the
    jitter and a lower score), and a Poisson number of boxes are false positives with the size of a random person.
    Scores are beta-distributed. The boxes of an image depend on the seed, the image id, its persons and the set of all
    persons' sizes, not on the order of images or annotations.

    Returns:
        boxes clipped to their images, sorted by image id, without annotation ids.
    """
    persons = annotations.persons
    persons = persons.select(~persons.is_crowd & (persons.areas > 0))
    persons = persons.select(np.lexsort((persons.annotation_ids, persons.image_ids)))
    sizes_wh = persons.boxes_xywh[np.argsort(persons.annotation_ids), 2:]
    image_ids = np.sort(annotations.images.ids)
    starts, ends = (np.searchsorted(persons.image_ids, image_ids, side=side) for side in ("left", "right"))
    found = []
    for image_id, start, end in zip(image_ids.tolist(), starts, ends, strict=True):
        size_hw = annotations.images.sizes_hw[annotations.image_index(image_id)]
        found.append(_detect(persons.boxes_xywh[start:end], sizes_wh, image_id, size_hw, errors))
    return boxes_of_images(image_ids, found)


def _detect(
    boxes: np.ndarray, sizes_wh: np.ndarray, image_id: int, size_hw: np.ndarray, errors: SimulatedBoxes
) -> tuple[np.ndarray, np.ndarray]:
    """Boxes [n, 4] and scores [n] of one image with persons' boxes [P, 4]."""
    rng = np.random.default_rng(np.random.SeedSequence(errors.seed, spawn_key=(image_id,)))
    first = boxes[rng.random(len(boxes)) >= errors.miss_probability]
    scores = _scores(errors.true_score_mean, len(first), errors, rng)
    is_doubled = rng.random(len(first)) < errors.duplicate_probability
    second = first[is_doubled]
    second_scores = scores[is_doubled] * _scores(errors.true_score_mean, len(second), errors, rng)
    false = _false_positives(sizes_wh, size_hw, errors, rng)
    proposals = (_jitter(first, 1.0, errors, rng), _jitter(second, _DUPLICATE_JITTER, errors, rng), false)
    all_scores = (scores, second_scores, _scores(errors.false_score_mean, len(false), errors, rng))
    clipped, inside = clip_boxes(np.concatenate(proposals), size_hw[None])
    return clipped[inside], np.concatenate(all_scores)[inside]


def _jitter(boxes: np.ndarray, factor: float, errors: SimulatedBoxes, rng: np.random.Generator) -> np.ndarray:
    sides = boxes[:, 2:]
    shift = factor * errors.centre_jitter * rng.standard_normal(sides.shape) * sides
    centres = boxes[:, :2] + sides / 2 + shift
    stretched = sides * np.exp(factor * errors.size_jitter * rng.standard_normal(sides.shape))
    return np.concatenate([centres - stretched / 2, stretched], axis=1)


def _false_positives(
    sizes_wh: np.ndarray, size_hw: np.ndarray, errors: SimulatedBoxes, rng: np.random.Generator
) -> np.ndarray:
    """Draw boxes [n, 4] with the sizes of random persons, placed uniformly inside the image."""
    count = int(rng.poisson(errors.false_positives)) if len(sizes_wh) else 0
    sides = np.minimum(sizes_wh[rng.integers(len(sizes_wh), size=count)], size_hw[::-1]) if count else np.empty((0, 2))
    return np.concatenate([rng.random(sides.shape) * (size_hw[::-1] - sides), sides], axis=1)


def _scores(mean: float, count: int, errors: SimulatedBoxes, rng: np.random.Generator) -> np.ndarray:
    """Draw [count] beta-distributed scores; they are constant for a mean of 0 or 1."""
    if mean in (0, 1):
        return np.full(count, float(mean))
    return rng.beta(mean * errors.score_concentration, (1 - mean) * errors.score_concentration, count)
