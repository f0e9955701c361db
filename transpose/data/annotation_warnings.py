"""Find annotations that can be read but are probably wrong: impossible numbers and forgotten settings.

Each check compares a split's arrays with an alternative reading, such as boxes given by their corners, and warns where
the alternative fits and the reading of the COCO format does not.
"""

from collections.abc import Iterator

import numpy as np

from transpose.config.base import Settings
from transpose.data.coco import CocoAnnotations
from transpose.skeleton import Skeleton

MAX_PERSONS = 20
"""Persons per image that the COCO evaluation compares."""

_SHARE = 0.1
"""Share of the persons from which a systematic error is assumed; single outliers occur in every large data set."""


class DataWarning(Settings):
    """A probable error in a split."""

    kind: str
    count: int
    first: str
    """The first of them, in words."""


def annotation_warnings(annotations: CocoAnnotations, skeleton: Skeleton) -> list[DataWarning]:
    """Return what is probably wrong in the annotations of a split or in its skeleton."""
    persons = annotations.persons
    labelled = persons.select(~persons.is_crowd & persons.is_labelled)
    people = _Labelled(annotations, labelled.image_ids, labelled.boxes_xywh, labelled.keypoints, labelled.areas)
    names = [f"annotation {number}" for number in labelled.annotation_ids.tolist()]
    found = [
        ("normalised", people.are_normalised(), "coordinates are from 0 to 1, not in pixels"),
        ("swapped_axes", people.have_swapped_axes(), "points are in the box only if read as (y, x)"),
        ("corner_boxes", people.have_corner_boxes(), "bbox is two corners, not x, y, width, height"),
        ("centre_boxes", people.have_centre_boxes(), "bbox is its centre, width and height, not x, y, width, height"),
        ("outside_box", people.are_outside_box(), "most labelled points are outside of the box"),
        ("outside_image", people.are_outside_image(), "labelled points are outside of the image"),
        ("area", people.have_impossible_area(), "the area does not fit the box, so OKS will be wrong"),
    ]
    # Wrong coordinates explain wrong boxes and areas, so that only the first of these is reported.
    warnings = [_systematic(kind, wrong, names, text) for kind, wrong, text in found]
    first = next((warning for warning in warnings if warning is not None), None)
    return [
        *([first] if first is not None else []),
        *_duplicates(labelled.image_ids, labelled.keypoints, names),
        *_crowded(annotations),
        *skeleton_warnings(skeleton),
    ]


def skeleton_warnings(skeleton: Skeleton) -> list[DataWarning]:
    """Return what is probably wrong in a skeleton: sigmas of another scale."""
    sigmas = skeleton.oks_sigmas
    wrong = np.flatnonzero((sigmas > 0.25) | (np.median(sigmas) < 0.004) | (np.median(sigmas) > 0.2))
    if not len(wrong):
        return []
    first = f"{skeleton.keypoints[wrong[0]]}: {sigmas[wrong[0]]:g}; COCO's are 0.025 to 0.107"
    return [DataWarning(kind="sigmas", count=len(wrong), first=first)]


class _Labelled:
    """P persons with labelled keypoints, under the reading of the COCO format and others."""

    def __init__(
        self,
        annotations: CocoAnnotations,
        image_ids: np.ndarray,
        boxes_xywh: np.ndarray,
        keypoints: np.ndarray,
        areas: np.ndarray,
    ) -> None:
        self.sides_wh = annotations.images.sizes_hw[annotations.images.find(image_ids)][:, ::-1].astype(np.float64)
        self.boxes = boxes_xywh
        self.points = keypoints[:, :, :2]
        self.labelled = keypoints[:, :, 2] > 0
        self.areas = areas

    def are_normalised(self) -> np.ndarray:
        """[P] bool: all labelled coordinates are from 0 to 1 and not all equal."""
        points = np.where(self.labelled[..., None], self.points, 0)
        small = (points >= 0).all(axis=(1, 2)) & (points <= 1).all(axis=(1, 2))
        return small & (self.labelled.sum(axis=1) > 1) & (points > 0).any(axis=(1, 2)) & (self.sides_wh > 8).all(axis=1)

    def have_swapped_axes(self) -> np.ndarray:
        """[P] bool: the points fit the box as (y, x) and not as (x, y)."""
        swapped = self._inside(self.points[..., ::-1], self.boxes)
        return (swapped > 0.9) & (self._inside(self.points, self.boxes) < 0.5)

    def have_corner_boxes(self) -> np.ndarray:
        """[P] bool: the box contains the points if it is given by two corners.

        That is true of some correct boxes, so it must be true of nearly all, and a box must leave its image.
        """
        corners = np.concatenate([self.boxes[:, :2], self.boxes[:, 2:] - self.boxes[:, :2]], axis=1)
        leaves = (self.boxes[:, :2] + self.boxes[:, 2:] > self.sides_wh * 1.02 + 2).any(axis=1)
        in_image = (corners[:, 2:] > 0).all(axis=1) & (self.boxes[:, 2:] <= self.sides_wh + 2).all(axis=1)
        fits = in_image & (self._inside(self.points, corners) > 0.9)
        is_systematic = bool((leaves & fits).any()) and float(fits.mean()) > 0.9
        return np.logical_and(fits, is_systematic)

    def have_centre_boxes(self) -> np.ndarray:
        """[P] bool: the box contains the points if its first two numbers are its centre, and not as its corner."""
        centred = np.concatenate([self.boxes[:, :2] - self.boxes[:, 2:] / 2, self.boxes[:, 2:]], axis=1)
        return (self._inside(self.points, centred) > 0.9) & (self._inside(self.points, self.boxes) < 0.6)

    def are_outside_box(self) -> np.ndarray:
        """[P] bool: most labelled points are outside the box."""
        return self._inside(self.points, self.boxes) < 0.5

    def are_outside_image(self) -> np.ndarray:
        """[P] bool: labelled points are outside the image."""
        outside = (self.points < -1) | (self.points > self.sides_wh[:, None] + 1)
        return np.asarray((outside.any(axis=2) & self.labelled).any(axis=1))

    def have_impossible_area(self) -> np.ndarray:
        """[P] bool: the area is larger than the box, or a thousandth of it."""
        box_areas = self.boxes[:, 2] * self.boxes[:, 3]
        return (self.areas > 1.5 * box_areas + 16) | ((self.areas < box_areas / 1000) & (box_areas > 0))

    def _inside(self, points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """[P] float64: share of the labelled points in the boxes, with a margin of a tenth of their sides."""
        margin = 0.1 * np.maximum(boxes[:, None, 2:], 0) + 1
        start, end = boxes[:, None, :2] - margin, boxes[:, None, :2] + boxes[:, None, 2:] + margin
        inside = ((points >= start) & (points <= end)).all(axis=2) & self.labelled
        return inside.sum(axis=1) / np.maximum(self.labelled.sum(axis=1), 1)


def _systematic(kind: str, wrong: np.ndarray, names: list[str], text: str) -> DataWarning | None:
    if not len(wrong) or wrong.mean() < _SHARE:
        return None
    return DataWarning(kind=kind, count=int(wrong.sum()), first=f"{names[int(np.argmax(wrong))]}: {text}")


def _duplicates(image_ids: np.ndarray, keypoints: np.ndarray, names: list[str]) -> Iterator[DataWarning]:
    """Find persons with the same labelled keypoints in the same image."""
    if not len(image_ids):
        return
    rows = np.concatenate([image_ids[:, None].astype(np.float64), keypoints.reshape(len(keypoints), -1)], axis=1)
    _, first, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    repeated = np.flatnonzero(first[inverse.reshape(-1)] != np.arange(len(rows)))
    if len(repeated):
        text = f"{names[repeated[0]]} repeats {names[first[inverse.reshape(-1)[repeated[0]]]]}"
        yield DataWarning(kind="duplicate", count=len(repeated), first=text)


def _crowded(annotations: CocoAnnotations) -> Iterator[DataWarning]:
    """Find images with more persons than the COCO evaluation compares."""
    persons = annotations.persons
    ids, counts = np.unique(persons.image_ids[~persons.is_crowd], return_counts=True)
    if (counts > MAX_PERSONS).any():
        worst = int(np.argmax(counts > MAX_PERSONS))
        name = annotations.images.file_names[annotations.image_index(int(ids[worst]))]
        text = f"{name}: {counts[worst]} persons; the COCO evaluation compares {MAX_PERSONS} predictions per image"
        yield DataWarning(kind="over_20_persons", count=int((counts > MAX_PERSONS).sum()), first=text)
