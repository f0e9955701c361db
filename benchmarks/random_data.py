"""Random heatmaps, annotations and detections."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transpose.data.coco import PERSON_CATEGORY, CocoAnnotations, ImageTable, PersonInstances
from transpose.files import write_json
from transpose.inference.poses import PoseResults
from transpose.skeleton import COCO_PERSON

_SIZE_HW = (480, 640)
_IMAGES_WITH_PERSONS = 0.54
"""As in COCO val2017, where 2,693 of 5,000 images have persons."""
_DOUBLES, _FOUND = 0.25, 0.25
"""Shares of detections that duplicate another detection, and that are near an annotated person."""
_HEATMAP_SIZE = (64, 48)


@dataclass(frozen=True)
class RandomAnnotations:
    """Annotations and N detections with their areas."""

    annotations: CocoAnnotations
    detections: PoseResults
    areas: np.ndarray
    """[N] float64, area of each detection in square image pixels."""


def random_heatmaps(persons: int, seed: int) -> np.ndarray:
    """Return [persons, 17, 64, 48] float32: a noisy Gaussian of 2 pixels per map, at a random point in the box.

    The box is the middle 80 % of the crop in each direction, as the protocol pads it by a quarter. The heatmaps are
    contiguous, as those of the inference model.
    """
    rng = np.random.default_rng(seed)
    height, width = _HEATMAP_SIZE
    shape = (persons, len(COCO_PERSON), 1)
    x, y = (rng.uniform(0.1 * side, 0.9 * side, shape) for side in (width - 1, height - 1))
    across = np.exp(-np.square(np.arange(width) - x) / 8)
    down = np.exp(-np.square(np.arange(height) - y) / 8)
    heatmaps = rng.uniform(0.2, 1, (*shape, 1)) * down[..., None] * across[..., None, :]
    return (heatmaps + rng.normal(0, 0.01, heatmaps.shape)).astype(np.float32)


def random_annotations(images: int, persons: int, detections: int, seed: int) -> RandomAnnotations:
    """Draw persons, unevenly spread over about half of the images, and detections over all images.

    A quarter of the detections are near annotated persons, a quarter are near duplicates of other detections, the rest
    are random. Some persons are crowds, some have no labelled keypoints; many scores are equal.
    """
    rng = np.random.default_rng(seed)
    ids, names = np.arange(1, images + 1), [f"{number}.jpg" for number in range(images)]
    table = ImageTable(ids, names, np.tile(np.array(_SIZE_HW, dtype=np.int32), (images, 1)))
    annotated = _persons(rng, table.ids, persons)
    people = CocoAnnotations(Path("annotations.json"), table, annotated)
    return RandomAnnotations(people, *_detections(rng, table.ids, annotated, detections))


def write_annotations(annotations: CocoAnnotations, path: Path) -> None:
    """Write a COCO keypoint file that `load_annotations` reads back unchanged."""
    images, persons = annotations.images, annotations.persons
    write_json(
        path,
        {
            "images": [
                {"id": number, "file_name": name, "height": height, "width": width}
                for number, name, (height, width) in zip(
                    images.ids.tolist(), images.file_names, images.sizes_hw.tolist(), strict=True
                )
            ],
            "annotations": [
                {
                    "id": number,
                    "image_id": image_id,
                    "category_id": PERSON_CATEGORY,
                    "bbox": box,
                    "area": area,
                    "iscrowd": int(crowd),
                    "keypoints": keypoints,
                    "num_keypoints": sum(label > 0 for label in keypoints[2::3]),
                }
                for number, image_id, box, area, crowd, keypoints in zip(
                    persons.annotation_ids.tolist(),
                    persons.image_ids.tolist(),
                    persons.boxes_xywh.tolist(),
                    persons.areas.tolist(),
                    persons.is_crowd.tolist(),
                    persons.keypoints.reshape(len(persons), -1).tolist(),
                    strict=True,
                )
            ],
            "categories": [{"id": PERSON_CATEGORY, "name": "person"}],
        },
        indent=None,
    )


def _persons(rng: np.random.Generator, image_ids: np.ndarray, count: int) -> PersonInstances:
    crowded = rng.permutation(image_ids)[: max(1, round(_IMAGES_WITH_PERSONS * len(image_ids)))]
    popularity = rng.exponential(size=len(crowded))
    sides, corners = _boxes(rng, count)
    labels = rng.choice(3, p=(0.4, 0.1, 0.5), size=(count, len(COCO_PERSON))) * (rng.random((count, 1)) > 0.3)
    points = (corners[:, None] + rng.random((count, len(COCO_PERSON), 2)) * sides[:, None]).round() * (labels > 0)[
        ..., None
    ]
    return PersonInstances(
        image_ids=rng.choice(crowded, p=popularity / popularity.sum(), size=count),
        annotation_ids=np.arange(1, count + 1),
        boxes_xywh=np.concatenate((corners, sides), axis=1),
        keypoints=np.concatenate((points, labels[..., None]), axis=2),
        areas=(0.6 * sides.prod(axis=1)).round(2),
        is_crowd=rng.random(count) < 0.03,
    )


def _detections(
    rng: np.random.Generator, image_ids: np.ndarray, persons: PersonInstances, count: int
) -> tuple[PoseResults, np.ndarray]:
    """Draw detections in random order, and their areas."""
    sides, corners = _boxes(rng, count)
    images = rng.choice(image_ids, size=count)
    points = corners[:, None] + rng.random((count, len(COCO_PERSON), 2)) * sides[:, None]
    found = np.arange(round(_FOUND * count)) if len(persons) else np.arange(0)
    targets = rng.integers(0, max(1, len(persons)), len(found))
    images[found], sides[found] = persons.image_ids[targets], persons.boxes_xywh[targets, 2:]
    centres = persons.boxes_xywh[targets, None, :2] + persons.boxes_xywh[targets, None, 2:] / 2
    labelled = persons.keypoints[targets, :, 2:] > 0
    points[found] = np.where(labelled, persons.keypoints[targets, :, :2], centres)
    points[found] += _noise(rng, sides[found], rng.uniform(0.005, 0.1, len(found)))
    doubles = np.arange(count - round(_DOUBLES * count), count)
    originals = rng.integers(0, max(1, doubles[0] if len(doubles) else 1), len(doubles))
    images[doubles], sides[doubles] = images[originals], sides[originals]
    points[doubles] = points[originals] + _noise(rng, sides[doubles], np.full(len(doubles), 0.005))
    order = rng.permutation(count)
    results = PoseResults(
        image_ids=images[order],
        keypoints=np.concatenate((points[order].round(2), rng.random((count, len(COCO_PERSON), 1))), axis=2),
        scores=rng.beta(0.5, 2, count).round(3),
    )
    return results, sides[order].prod(axis=1)


def _boxes(rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw sides [count, 2] and top left corners [count, 2] in image pixels."""
    sides = np.exp(rng.normal(4.3, 0.7, (count, 1)) + rng.normal(0, 0.2, (count, 2))).round(1)
    return sides, (rng.random((count, 2)) * (np.array(_SIZE_HW[::-1]) - 20)).round(1)


def _noise(rng: np.random.Generator, sides: np.ndarray, share: np.ndarray) -> np.ndarray:
    """[n, K, 2]: normal, of the standard deviation `share` [n] of a person's size."""
    deviation = share * np.sqrt(sides.prod(axis=1))
    return rng.normal(size=(len(sides), len(COCO_PERSON), 2)) * deviation[:, None, None]
