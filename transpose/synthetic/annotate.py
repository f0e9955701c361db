"""Ground truth of a rendering as COCO person keypoints."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from transpose.skeleton import COCO_PERSON
from transpose.synthetic.camera import Camera
from transpose.synthetic.render import Rendering
from transpose.synthetic.scene import Scene

PERSON_CATEGORY = 1
# Pixels; smaller visible parts of a person are not annotated.
_SMALLEST_MASK = 40
_FEWEST_VISIBLE = 2

# Depth of a keypoint below the skin in metres; a surface nearer to the camera by more than this occludes it.
_KEYPOINT_DEPTHS = {
    "nose": 0.035,
    "eye": 0.035,
    "ear": 0.05,
    "shoulder": 0.10,
    "elbow": 0.075,
    "wrist": 0.06,
    "hip": 0.19,
    "knee": 0.10,
    "ankle": 0.08,
}


class Hidden(IntEnum):
    """Reason why a keypoint is not visible."""

    SEEN = 0
    BY_SELF = 1
    BY_OTHER = 2
    OUTSIDE = 3


@dataclass(frozen=True)
class Keypoints:
    """Projected keypoints [K, 2] in image pixels, also outside the image, and their visibility [K] (Hidden values)."""

    points: np.ndarray
    hidden: np.ndarray


def annotations(scene: Scene, rendering: Rendering, smallest_labelled_area: float) -> list[dict[str, Any]]:
    """Return COCO annotations without ids: one for each visible person and one for the crowd.

    In addition to COCO's fields, each person has `true_keypoints` [x, y, ...] of all keypoints, visible or not, and
    `occlusion`, their Hidden values.
    """
    found = []
    for index, figure in enumerate(scene.figures):
        mask = rendering.owners == index
        if scene.in_crowd[index] or mask.sum() < _SMALLEST_MASK:
            continue
        truth = locate_keypoints(scene.camera, figure.keypoints, rendering, index)
        found.append(_person(mask, truth, smallest_labelled_area))
    crowd = np.isin(rendering.owners, np.flatnonzero(scene.in_crowd))
    if crowd.sum() >= _SMALLEST_MASK:
        nothing = np.zeros((len(COCO_PERSON), 3))
        found.append({**_region(crowd), **_labels(nothing), "iscrowd": 1})
    return found


def locate_keypoints(camera: Camera, keypoints: np.ndarray, rendering: Rendering, owner: int) -> Keypoints:
    """Project keypoints [K, 3] of figure `owner` and determine their visibility."""
    projected = camera.project(keypoints)
    height, width = rendering.owners.shape
    hidden = np.full(len(keypoints), Hidden.OUTSIDE)
    for keypoint, (x, y, depth) in enumerate(projected):
        if depth <= 0 or not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
            continue
        row, column = round(float(y)), round(float(x))
        # The keypoint may be a fraction of a pixel outside a thin limb.
        around = np.s_[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        hidden[keypoint] = _hidden_by(rendering.owners[around], rendering.depths[around], owner, depth, keypoint)
    return Keypoints(projected[:, :2], hidden)


def _hidden_by(owners: np.ndarray, depths: np.ndarray, owner: int, depth: float, keypoint: int) -> Hidden:
    own, in_front = owners == owner, depths < depth - _keypoint_depth(keypoint)
    if (own & ~in_front).any() or np.isinf(depths).all():
        return Hidden.SEEN
    if own.any():
        return Hidden.BY_SELF
    return Hidden.BY_OTHER if in_front.any() else Hidden.SEEN


def _keypoint_depth(keypoint: int) -> float:
    return _KEYPOINT_DEPTHS[COCO_PERSON.keypoints[keypoint].removeprefix("left_").removeprefix("right_")]


def labelled(truth: Keypoints) -> np.ndarray:
    """Return keypoints [K, 3] as an annotator would label them: v is 2 (visible), 1 (occluded) or 0 (not labelled).

    A keypoint behind another person or object is labelled only if a keypoint adjacent in the skeleton is inside the
    image and not occluded in the same way. A person with fewer than two visible keypoints is not labelled.
    """
    inside = truth.hidden != Hidden.OUTSIDE
    anchors = inside & (truth.hidden != Hidden.BY_OTHER)
    guessable = np.zeros(len(truth.hidden), bool)
    for a, b in COCO_PERSON.limb_indices:
        guessable[a] |= anchors[b]
        guessable[b] |= anchors[a]
    visibility = np.where(truth.hidden == Hidden.SEEN, 2, np.where(inside & (anchors | guessable), 1, 0))
    if (visibility == 2).sum() < _FEWEST_VISIBLE:
        visibility[:] = 0
    return np.where(visibility[:, None] > 0, np.column_stack([truth.points, visibility]), 0.0)


def _person(mask: np.ndarray, truth: Keypoints, smallest_labelled_area: float) -> dict[str, Any]:
    keypoints = labelled(truth)
    if mask.sum() < smallest_labelled_area:
        keypoints = np.zeros_like(keypoints)
    height, width = mask.shape
    keypoints[:, :2] = np.clip(keypoints[:, :2], 0, (width - 1, height - 1))
    return {
        **_region(mask),
        **_labels(keypoints),
        "iscrowd": 0,
        "true_keypoints": truth.points.round(2).ravel().tolist(),
        "occlusion": truth.hidden.tolist(),
    }


def _labels(keypoints: np.ndarray) -> dict[str, Any]:
    values = [[round(float(x), 2), round(float(y), 2), int(v)] for x, y, v in keypoints]
    return {
        "keypoints": [value for triple in values for value in triple],
        "num_keypoints": int((keypoints[:, 2] > 0).sum()),
        "category_id": PERSON_CATEGORY,
    }


def _region(mask: np.ndarray) -> dict[str, Any]:
    counts = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    text = counts if isinstance(counts, str) else counts.decode("ascii")
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    return {
        "segmentation": {"size": list(mask.shape), "counts": text},
        "area": int(mask.sum()),
        "bbox": [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1],
    }
