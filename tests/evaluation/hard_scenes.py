"""Random annotations and results with many edge cases of the evaluation, drawn by seed."""

from pathlib import Path

import numpy as np

from transpose.data.coco import CocoAnnotations, ImageTable, PersonInstances
from transpose.inference.poses import PoseResults

AREAS = (0.0, 32.0**2, 96.0**2, 3e4)
"""No size, the borders between sizes, and a large one."""


def hard_scene(seed: int, images: int = 6, keypoints: int = 17) -> tuple[CocoAnnotations, PoseResults]:
    """Persons of all sizes including zero, crowds, unlabelled and duplicate persons; tied, wrong and repeated results.

    Some images have no person, some no result, some more than 20 results.
    """
    rng = np.random.default_rng(seed)
    ids = np.sort(rng.permutation(50)[:images])
    count = rng.integers(0, 4 * images)
    sides, corners = rng.uniform(5, 250, (count, 2)), rng.uniform(-20, 500, (count, 2))
    labels = rng.integers(0, 3, (count, keypoints)) * (rng.random((count, 1)) > 0.25)
    points = (corners[:, None] + rng.random((count, keypoints, 2)) * sides[:, None]).round() * (labels > 0)[..., None]
    persons = PersonInstances(
        image_ids=ids[rng.integers(0, max(1, images - 2), count)],
        annotation_ids=np.arange(count),
        boxes_xywh=np.concatenate((corners, sides), axis=1),
        keypoints=np.concatenate((points, labels[..., None]), axis=2),
        areas=np.where(rng.random(count) < 0.4, rng.choice(AREAS, count), 0.6 * sides.prod(axis=1)),
        is_crowd=rng.random(count) < rng.choice((0, 0.3, 1), p=(0.4, 0.5, 0.1)),
    )
    twins = np.concatenate((np.arange(count), rng.permutation(count)[: count // 5]))
    persons = persons.select(twins)
    sizes_hw = np.full((images, 2), 640, dtype=np.int32)
    table = ImageTable(ids, [f"{number}.jpg" for number in ids], sizes_hw)
    return CocoAnnotations(Path("annotations.json"), table, persons), _results(rng, ids[1:], persons)


def _results(rng: np.random.Generator, image_ids: np.ndarray, persons: PersonInstances) -> PoseResults:
    """Mostly near persons: at equal distances to several, exactly on them, or far away; scores have one digit."""
    count = rng.integers(0, 90) if len(persons) else 0
    targets = rng.integers(0, max(1, len(persons)), count)
    centres = persons.boxes_xywh[targets, None, :2] + persons.boxes_xywh[targets, None, 2:] / 2
    points = np.where(persons.keypoints[targets, :, 2:] > 0, persons.keypoints[targets, :, :2], centres)
    deviations = rng.choice((0, 0.02, 0.08, 100), count) * np.sqrt(persons.areas[targets] + 1)
    points = points + rng.normal(size=points.shape) * deviations[:, None, None]
    images = persons.image_ids[targets]
    strays = rng.random(count) < 0.1
    images[strays] = rng.choice(image_ids, strays.sum())
    kept = np.isin(images, image_ids)
    return PoseResults(
        image_ids=images[kept],
        keypoints=np.concatenate((points, rng.random((*points.shape[:2], 1))), axis=2)[kept],
        scores=rng.integers(0, 10, kept.sum()) / 10,
    )
