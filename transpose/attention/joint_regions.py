"""The picture divided by what its parts are to a joint: its own place, its mirror partner, its neighbours, the rest.

Rendered data sets tell the body part in every pixel. Elsewhere neighbourhoods of the labelled joints stand for parts.
"""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from transpose.attention.grid import Grid
from transpose.attention.neighbourhood import neighbourhoods
from transpose.attention.persons import Truth
from transpose.data.part_labels import NOBODY, PARTS, PartLabels
from transpose.skeleton import Skeleton

OWN, SYMMETRIC, NEIGHBOURS = "own", "symmetric", "neighbours"

_PARTS_AT_JOINT = {
    "shoulder": ("torso", "upper_arm"),
    "elbow": ("upper_arm", "lower_arm"),
    "wrist": ("lower_arm",),
    "hip": ("torso", "thigh"),
    "knee": ("thigh", "lower_leg"),
    "ankle": ("lower_leg",),
}
_OTHERS, _BACKGROUND = len(PARTS), len(PARTS) + 1


class JointRegions(Protocol):
    """Disjoint groups of places in a person's crop, for each joint its own division."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of G groups, the first of which are `OWN`, `SYMMETRIC` and `NEIGHBOURS`."""
        ...

    def of(self, truth: Truth) -> np.ndarray:
        """[K, G, L] float64: which share of each cell belongs to each group, for a truth of one person.

        The groups of a joint share each cell among them; a group that does not exist for a joint has none of any.
        """
        ...


@dataclass(frozen=True)
class BodyPartRegions:
    """By the parts that are seen in the picture.

    A joint's own parts are those that meet in it. Those of its mirror partner and of its neighbours along limbs are
    groups of their own as far as they are no part of the groups before. What lies outside of the picture is background.
    """

    labels: PartLabels
    grid: Grid
    skeleton: Skeleton

    groups = (OWN, SYMMETRIC, NEIGHBOURS, "rest_of_body", "other_people", "background")

    def of(self, truth: Truth) -> np.ndarray:
        """See `JointRegions`."""
        return part_membership(self.skeleton) @ self.shares(truth)

    def shares(self, truth: Truth) -> np.ndarray:
        """[parts + 2, L] float64: shares of each cell that show each of the person's parts, others, and nobody."""
        parts, own = self.labels.of(int(truth.annotation_ids[0]))
        seen = np.where(parts == NOBODY, _BACKGROUND, np.where(own, parts, _OTHERS)).astype(np.uint8)
        height, width = self.grid.input_size
        crop = cv2.warpAffine(
            seen, truth.affines[0], (width, height), flags=cv2.INTER_NEAREST, borderValue=(float(_BACKGROUND),)
        )
        columns, rows = np.meshgrid(np.arange(width), np.arange(height))
        cells = self.grid.tokens_at(np.stack((columns, rows), axis=-1))
        kinds, tokens = len(PARTS) + 2, self.grid.tokens
        pixels = np.bincount((crop.astype(np.int64) * tokens + cells).ravel(), minlength=kinds * tokens).reshape(
            kinds, tokens
        )
        return pixels / pixels.sum(axis=0)


@dataclass(frozen=True)
class NeighbourhoodRegions:
    """By the cells around labelled joints, where nothing better is known; a cell belongs to the first group it can."""

    grid: Grid
    skeleton: Skeleton
    reach: float
    """In widths of the crop, see `neighbourhoods`."""

    groups = (OWN, SYMMETRIC, NEIGHBOURS, "other_joints", "elsewhere")

    def of(self, truth: Truth) -> np.ndarray:
        """See `JointRegions`."""
        near = neighbourhoods(self.grid, truth.joints_xy, self.reach)[0] & (truth.visibility[0] > 0)[:, None]
        keypoints = np.arange(len(self.skeleton))
        related = [keypoints[:, None] == keypoints, _partners(self.skeleton), _neighbours(self.skeleton)]
        related.append(np.ones_like(related[0]))
        candidates = [relation @ near for relation in related] + [np.ones_like(near)]
        return _exclusive(np.stack(candidates, axis=1)).astype(np.float64)


def part_membership(skeleton: Skeleton) -> np.ndarray:
    """[K, 6, parts + 2] float64, 1 where a part belongs to a joint's group of `BodyPartRegions`."""
    own = np.array([[part in parts_at(name) for part in PARTS] for name in skeleton.keypoints])
    candidates = [own, _partners(skeleton) @ own, _neighbours(skeleton) @ own, np.ones_like(own)]
    groups = _exclusive(np.stack(candidates, axis=1))
    membership = np.zeros((len(skeleton), len(BodyPartRegions.groups), len(PARTS) + 2))
    membership[:, : groups.shape[1], : len(PARTS)] = groups
    membership[:, -2, _OTHERS] = membership[:, -1, _BACKGROUND] = 1
    return membership


def parts_at(keypoint: str) -> tuple[str, ...]:
    """The parts that meet in a keypoint of COCO; all keypoints of the head lie in the head."""
    side, _, joint = keypoint.partition("_")
    if joint not in _PARTS_AT_JOINT:
        return ("head",)
    return tuple(part if part == "torso" else f"{side}_{part}" for part in _PARTS_AT_JOINT[joint])


def _partners(skeleton: Skeleton) -> np.ndarray:
    """[K, K] bool: the joint's mirror partner, if it has one."""
    keypoints = np.arange(len(skeleton))
    return (skeleton.flip_permutation[:, None] == keypoints) & (keypoints[:, None] != keypoints)


def _neighbours(skeleton: Skeleton) -> np.ndarray:
    """[K, K] bool: joints at the other ends of the joint's limbs."""
    related = np.zeros((len(skeleton), len(skeleton)), dtype=bool)
    first, second = skeleton.limb_indices.T
    related[first, second] = related[second, first] = True
    return related


def _exclusive(candidates: np.ndarray) -> np.ndarray:
    """[K, G, ...] bool: of all groups that are true for a place, the first one alone."""
    return candidates & (np.cumsum(candidates, axis=1) == 1)
