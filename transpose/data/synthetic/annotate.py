"""The ground truth of a rendering, in the terms of COCO person keypoints."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from transpose.data.synthetic.camera import Camera
from transpose.data.synthetic.render import Rendering
from transpose.data.synthetic.scene import Scene
from transpose.skeleton import COCO_PERSON

PERSON_CATEGORY = 1
# Smaller remnants (pixels of the mask) nobody would notice.
_SMALLEST_MASK = 40
_FEWEST_VISIBLE = 2

# How far below the skin a joint lies (metres): what is nearer to the camera by more than that hides it.
_JOINT_DEPTHS = {
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
    """Why a keypoint is not seen."""

    SEEN = 0
    BY_SELF = 1
    BY_OTHER = 2
    OUTSIDE = 3


@dataclass(frozen=True)
class Keypoints:
    """True places [K, 2] in image pixels, wherever they are, and why each is hidden [K] (values of Hidden)."""

    points: np.ndarray
    hidden: np.ndarray


def annotations(scene: Scene, rendering: Rendering, smallest_labelled_area: float) -> list[dict[str, Any]]:
    """COCO annotations, one for each person seen and one for the crowd, without ids.

    Beside COCO's fields each person has `true_keypoints` [x, y, ...] for every keypoint, seen or not, and
    `occlusion`, the value of Hidden for every keypoint.
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
    """Project keypoints [K, 3] of figure `owner` and find out what hides them."""
    projected = camera.project(keypoints)
    height, width = rendering.owners.shape
    hidden = np.full(len(keypoints), Hidden.OUTSIDE)
    for keypoint, (x, y, depth) in enumerate(projected):
        if depth <= 0 or not (-0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5):
            continue
        row, column = round(float(y)), round(float(x))
        # The joint may be a fraction of a pixel outside a thin limb.
        around = np.s_[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        hidden[keypoint] = _hidden_by(rendering.owners[around], rendering.depths[around], owner, depth, keypoint)
    return Keypoints(projected[:, :2], hidden)


def _hidden_by(owners: np.ndarray, depths: np.ndarray, owner: int, depth: float, keypoint: int) -> Hidden:
    own, in_front = owners == owner, depths < depth - _joint_depth(keypoint)
    if (own & ~in_front).any() or np.isinf(depths).all():
        return Hidden.SEEN
    if own.any():
        return Hidden.BY_SELF
    return Hidden.BY_OTHER if in_front.any() else Hidden.SEEN


def _joint_depth(keypoint: int) -> float:
    return _JOINT_DEPTHS[COCO_PERSON.keypoints[keypoint].removeprefix("left_").removeprefix("right_")]


def labelled(truth: Keypoints) -> np.ndarray:
    """Keypoints [K, 3] as an annotator marks them: v 2 seen, 1 hidden but to be guessed, 0 outside or beyond guessing.

    A joint behind somebody or something else can be guessed only from a neighbouring joint of the same person that is
    not hidden in the same way. Nobody is marked with fewer than two joints seen.
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
