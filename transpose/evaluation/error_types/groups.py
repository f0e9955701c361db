"""Groups of annotated keypoints by what makes them hard: visibility, size, crowding, labelled keypoints, truncation."""

from collections.abc import Mapping

import numpy as np

from transpose.data.coco import CocoAnnotations, PersonInstances
from transpose.skeleton import Skeleton

OVERLAP = 0.1
"""IoU of boxes from which two persons overlap, as in Ronchi and Perona 2017 (section 4.2)."""

_SIZES = (32.0**2, 96.0**2)
_BORDER = 1.0
"""Pixels between a box and the image border up to which they touch."""

Groups = Mapping[str, Mapping[str, np.ndarray]]
"""What the groups are by -> name of the group -> [G, K] bool."""


def keypoint_groups(annotations: CocoAnnotations, skeleton: Skeleton) -> Groups:
    """Return the groups of all keypoints of G persons; every keypoint is in one group of each kind."""
    persons = annotations.persons
    shape = persons.keypoints.shape[:2]
    of_persons = {
        "size": by_size(persons),
        "overlapping persons": _by_overlaps(overlapping_persons(persons)),
        "labelled keypoints": _by_labelled(persons, len(skeleton)),
        "image border": _by_border(annotations),
    }
    groups: dict[str, Mapping[str, np.ndarray]] = {
        "keypoint": {
            name: np.broadcast_to(np.arange(shape[1]) == k, shape) for k, name in enumerate(skeleton.keypoints)
        },
        "visibility": {
            "occluded": persons.keypoints[..., 2] == 1,
            "visible": persons.keypoints[..., 2] == 2,
        },
    }
    for kind, members in of_persons.items():
        groups[kind] = {name: np.broadcast_to(chosen[:, None], shape) for name, chosen in members.items()}
    return groups


def by_size(persons: PersonInstances) -> Mapping[str, np.ndarray]:
    """Return the persons [G] bool of each of COCO's sizes."""
    size = np.searchsorted(_SIZES, persons.areas, side="right")
    return {name: size == position for position, name in enumerate(("small", "medium", "large"))}


def overlapping_persons(persons: PersonInstances) -> np.ndarray:
    """Return for each person [G] how many others in the image have a box with an IoU of at least `OVERLAP`."""
    counts = np.zeros(len(persons), dtype=np.int64)
    order = np.argsort(persons.image_ids, kind="stable")
    starts = np.flatnonzero(np.diff(persons.image_ids[order])) + 1
    for chosen in np.split(order, starts):
        counts[chosen] = (_overlaps(persons.boxes_xywh[chosen]) >= OVERLAP).sum(axis=1) - 1
    return counts


def _overlaps(boxes_xywh: np.ndarray) -> np.ndarray:
    """Return the IoU [n, n] of boxes; 1 with themselves, also of empty boxes."""
    start, end = boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]
    sides = np.minimum(end[:, None], end) - np.maximum(start[:, None], start)
    shared = np.maximum(sides, 0).prod(axis=2)
    areas = boxes_xywh[:, 2:].prod(axis=1)
    union = areas[:, None] + areas - shared
    ious = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    np.fill_diagonal(ious, 1)
    return ious


def _by_overlaps(others: np.ndarray) -> Mapping[str, np.ndarray]:
    return {"0": others == 0, "1-2": (others >= 1) & (others <= 2), "3 or more": others >= 3}


def _by_labelled(persons: PersonInstances, keypoints: int) -> Mapping[str, np.ndarray]:
    """Quarters of the skeleton's number of keypoints; for few keypoints there are fewer groups."""
    labelled = (persons.keypoints[..., 2] > 0).sum(axis=1)
    ends = sorted({keypoints * quarter // 4 for quarter in range(1, 5)} - {0})
    starts = [1, *(end + 1 for end in ends[:-1])]
    return {
        str(end) if start == end else f"{start}-{end}": (labelled >= start) & (labelled <= end)
        for start, end in zip(starts, ends, strict=True)
    }


def _by_border(annotations: CocoAnnotations) -> Mapping[str, np.ndarray]:
    """Whether a person's box touches the image border; unknown if the file has no image sizes."""
    persons, images = annotations.persons, annotations.images
    sizes_wh = images.sizes_hw[images.find(persons.image_ids)][:, ::-1]
    start, end = persons.boxes_xywh[:, :2], persons.boxes_xywh[:, :2] + persons.boxes_xywh[:, 2:]
    touches = ((start <= _BORDER) | (end >= sizes_wh - _BORDER)).any(axis=1)
    known = np.asarray((sizes_wh > 1).all(axis=1))
    groups = {"touched": touches & known, "not touched": ~touches & known}
    return groups if known.all() else groups | {"unknown": ~known}
