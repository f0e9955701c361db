"""The image divided by what its parts are to a keypoint: its own place, its mirror partner, its neighbours, the rest.

Rendered data sets tell the body part in every pixel. Elsewhere neighbourhoods of the labelled keypoints stand for
parts. A hidden keypoint is often hidden by its mirror partner, and attention is strong near the keypoint whatever is
seen there. So the cells around the place where the keypoint was found are a group of their own, and the other groups
begin beyond it.
"""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from transpose.attention.maps.grid import Grid
from transpose.attention.neighbourhood import neighbourhoods
from transpose.attention.persons import GroundTruth
from transpose.data.part_labels import NOBODY, PARTS, PartLabels
from transpose.skeleton import Skeleton

PLACE, SYMMETRIC, NEIGHBOURS = "place", "symmetric", "neighbours"

_PARTS_AT_KEYPOINT = {
    "shoulder": ("torso", "upper_arm"),
    "elbow": ("upper_arm", "lower_arm"),
    "wrist": ("lower_arm",),
    "hip": ("torso", "thigh"),
    "knee": ("thigh", "lower_leg"),
    "ankle": ("lower_leg",),
}
_OTHERS, _BACKGROUND = len(PARTS), len(PARTS) + 1


class KeypointRegions(Protocol):
    """Disjoint groups of places in a person's crop, for each keypoint its own division."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of G groups, among them `PLACE`, the first, `SYMMETRIC` and `NEIGHBOURS`."""
        ...

    def of(self, truth: GroundTruth, found_xy: np.ndarray) -> np.ndarray:
        """[K, G, L] float64: which share of each cell belongs to each group.

        The groups of a keypoint share each cell among them; a group that does not exist for a keypoint has none of any.

        Args:
            truth: of one person.
            found_xy: [K, 2] where the keypoints were found, crop pixels.
        """
        ...


@dataclass(frozen=True)
class BodyPartRegions:
    """By the parts that are seen in the image.

    A keypoint's own parts are those that meet in it. Those of its mirror partner and of its neighbours along limbs are
    groups of their own as far as they are no part of the groups before. What lies outside of the image is background.
    """

    labels: PartLabels
    grid: Grid
    skeleton: Skeleton
    reach: float
    """Of a keypoint's place, in widths of the crop, see `neighbourhoods`."""

    groups = (PLACE, "own_parts", SYMMETRIC, NEIGHBOURS, "rest_of_body", "other_people", "background")

    def of(self, truth: GroundTruth, found_xy: np.ndarray) -> np.ndarray:
        """See `KeypointRegions`."""
        place = neighbourhoods(self.grid, found_xy[None], self.reach)[0][:, None]
        parts = part_membership(self.skeleton) @ self.shares(truth)
        return np.concatenate((place, np.where(place, 0.0, parts)), axis=1)

    def shares(self, truth: GroundTruth) -> np.ndarray:
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
    """By cells around labelled keypoints, where body parts are unknown; a cell belongs to the first group that fits."""

    grid: Grid
    skeleton: Skeleton
    reach: float
    """In widths of the crop, see `neighbourhoods`."""

    groups = (PLACE, SYMMETRIC, NEIGHBOURS, "other_keypoints", "elsewhere")

    def of(self, truth: GroundTruth, found_xy: np.ndarray) -> np.ndarray:
        """See `KeypointRegions`."""
        place = neighbourhoods(self.grid, found_xy[None], self.reach)[0]
        near = neighbourhoods(self.grid, truth.keypoints_xy, self.reach)[0] & (truth.visibility[0] > 0)[:, None]
        # A keypoint is no other one, however far from its true place it was found.
        others = ~np.eye(len(self.skeleton), dtype=bool)
        related = [self.skeleton.mirror_matrix, self.skeleton.adjacency, others]
        candidates = [place, *(relation @ near for relation in related), np.ones_like(near)]
        return _exclusive(np.stack(candidates, axis=1)).astype(np.float64)


def part_membership(skeleton: Skeleton) -> np.ndarray:
    """[K, 6, parts + 2] float64, 1 where a part belongs to a keypoint's group of `BodyPartRegions`, except `PLACE`."""
    own = np.array([[part in parts_at(name) for part in PARTS] for name in skeleton.keypoints])
    candidates = [own, skeleton.mirror_matrix @ own, skeleton.adjacency @ own, np.ones_like(own)]
    groups = _exclusive(np.stack(candidates, axis=1))
    membership = np.zeros((len(skeleton), len(BodyPartRegions.groups) - 1, len(PARTS) + 2))
    membership[:, : groups.shape[1], : len(PARTS)] = groups
    membership[:, -2, _OTHERS] = membership[:, -1, _BACKGROUND] = 1
    return membership


def parts_at(keypoint: str) -> tuple[str, ...]:
    """The parts that meet in a keypoint of COCO; all keypoints of the head lie in the head."""
    side, _, place = keypoint.partition("_")
    if place not in _PARTS_AT_KEYPOINT:
        return ("head",)
    return tuple(part if part == "torso" else f"{side}_{part}" for part in _PARTS_AT_KEYPOINT[place])


def _exclusive(candidates: np.ndarray) -> np.ndarray:
    """[K, G, ...] bool: of all groups that are true for a place, the first one alone."""
    return candidates & (np.cumsum(candidates, axis=1) == 1)
