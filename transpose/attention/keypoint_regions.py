"""Division of a crop by relation to a keypoint: its own position, its mirror partner, its neighbours, the rest.

Rendered data sets have body part labels for every pixel. Other data sets use neighbourhoods of the labelled keypoints
instead. A keypoint is often occluded by its mirror partner, and attention is always strong near the predicted keypoint.
So the cells around the predicted position are a separate group, excluded from the others.
"""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from transpose.attention.maps.grid import Grid
from transpose.attention.persons import GroundTruth, neighbourhoods
from transpose.skeleton import Skeleton
from transpose.synthetic.part_labels import NO_PERSON, PARTS, PartLabels

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
    """Division of a person's crop into disjoint groups of cells, one division per keypoint."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Names of G groups, including `PLACE` (the first), `SYMMETRIC` and `NEIGHBOURS`."""
        ...

    def of(self, truth: GroundTruth, found_xy: np.ndarray) -> np.ndarray:
        """Return [K, G, L] float64: the share of each cell that belongs to each group.

        For each keypoint the shares of a cell sum to 1; they are 0 for groups that do not exist for the keypoint.

        Args:
            truth: ground truth of one person.
            found_xy: [K, 2] predicted keypoints, crop pixels.
        """
        ...


@dataclass(frozen=True)
class BodyPartRegions:
    """Division by the body parts that are visible in the image.

    A keypoint's own parts are those that meet in it. The parts of its mirror partner and of its neighbours along limbs
    are separate groups; each part belongs to the first group that contains it. Pixels outside the image are background.
    """

    labels: PartLabels
    grid: Grid
    skeleton: Skeleton
    reach: float
    """Radius of a keypoint's own position in crop widths, see `neighbourhoods`."""

    groups = (PLACE, "own_parts", SYMMETRIC, NEIGHBOURS, "rest_of_body", "other_people", "background")

    def of(self, truth: GroundTruth, found_xy: np.ndarray) -> np.ndarray:
        """See `KeypointRegions`."""
        place = neighbourhoods(self.grid, found_xy[None], self.reach)[0][:, None]
        parts = part_membership(self.skeleton) @ self.shares(truth)
        return np.concatenate((place, np.where(place, 0.0, parts)), axis=1)

    def shares(self, truth: GroundTruth) -> np.ndarray:
        """Return [parts + 2, L] float64: shares of each cell for the person's parts, other people, and background."""
        parts, own = self.labels.of(int(truth.annotation_ids[0]))
        seen = np.where(parts == NO_PERSON, _BACKGROUND, np.where(own, parts, _OTHERS)).astype(np.uint8)
        height, width = self.grid.input_size
        crop = cv2.warpAffine(
            seen, truth.affines[0], (width, height), flags=cv2.INTER_NEAREST, borderValue=(float(_BACKGROUND),)
        )
        cells, kinds, tokens = self.grid.tokens_of_pixels(), len(PARTS) + 2, self.grid.tokens
        pixels = np.bincount((crop.astype(np.int64) * tokens + cells).ravel(), minlength=kinds * tokens)
        pixels = pixels.reshape(kinds, tokens)
        return pixels / pixels.sum(axis=0)


@dataclass(frozen=True)
class NeighbourhoodRegions:
    """Division by cells around labelled keypoints, without part labels; a cell belongs to the first group that fits."""

    grid: Grid
    skeleton: Skeleton
    reach: float
    """Radius of a neighbourhood in crop widths, see `neighbourhoods`."""

    groups = (PLACE, SYMMETRIC, NEIGHBOURS, "other_keypoints", "elsewhere")

    def of(self, truth: GroundTruth, found_xy: np.ndarray) -> np.ndarray:
        """See `KeypointRegions`."""
        place = neighbourhoods(self.grid, found_xy[None], self.reach)[0]
        near = truth.neighbourhoods(self.grid, self.reach)[0]
        # A keypoint is never among the others, even if it was predicted far from its annotation.
        others = ~np.eye(len(self.skeleton), dtype=bool)
        related = [self.skeleton.mirror_matrix, self.skeleton.adjacency, others]
        candidates = [place, *(relation @ near for relation in related), np.ones_like(near)]
        return _exclusive(np.stack(candidates, axis=1)).astype(np.float64)


def part_membership(skeleton: Skeleton) -> np.ndarray:
    """Return [K, 6, parts + 2] float64: 1 where a part is in a group of `BodyPartRegions` other than `PLACE`."""
    own = np.array([[part in parts_at(name) for part in PARTS] for name in skeleton.keypoints])
    candidates = [own, skeleton.mirror_matrix @ own, skeleton.adjacency @ own, np.ones_like(own)]
    groups = _exclusive(np.stack(candidates, axis=1))
    membership = np.zeros((len(skeleton), len(BodyPartRegions.groups) - 1, len(PARTS) + 2))
    membership[:, : groups.shape[1], : len(PARTS)] = groups
    membership[:, -2, _OTHERS] = membership[:, -1, _BACKGROUND] = 1
    return membership


def parts_at(keypoint: str) -> tuple[str, ...]:
    """Return the parts that meet in a COCO keypoint; for keypoints of the head, the head."""
    side, _, place = keypoint.partition("_")
    if place not in _PARTS_AT_KEYPOINT:
        return ("head",)
    return tuple(part if part == "torso" else f"{side}_{part}" for part in _PARTS_AT_KEYPOINT[place])


def _exclusive(candidates: np.ndarray) -> np.ndarray:
    """Return [K, G, ...] bool: only the first of the groups that are true at each position."""
    return candidates & (np.cumsum(candidates, axis=1) == 1)
