"""PCKh, the MPII evaluation: share of labelled keypoints predicted within a fraction of the head size."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from transpose.data.coco import CocoAnnotations, PersonInstances
from transpose.data.fields import as_areas, column, read_records
from transpose.errors import InputError
from transpose.files import read_json, read_npz
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton

THRESHOLDS: Mapping[str, float] = {"PCKh50": 0.5, "PCKh11": 0.11, "PCKh10": 0.1}
"""Distance thresholds in head sizes. The official code prints "Mean@0.1" for the threshold 0.11."""

GROUPS: Mapping[str, tuple[str, ...]] = {
    "head": ("head_top",),
    **{part: (f"left_{part}", f"right_{part}") for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")},
}
"""Keypoints of each column of the usual tables; a column is the mean of its keypoints' PCKh."""

NOT_IN_MEAN = ("pelvis", "thorax")


@dataclass(frozen=True)
class KeypointPckh:
    """PCKh of one keypoint as fractions, -1 if no person has it labelled."""

    keypoint: str
    pckh50: float
    pckh10: float
    labelled: int
    """Number of persons with the keypoint labelled, visible or not."""

    @property
    def accuracy(self) -> float:
        """The metric for comparing keypoints."""
        return self.pckh50


@dataclass(frozen=True)
class KeypointHits:
    """Labelled and correct keypoints of I images: a small table from which PCKh can be resampled."""

    image_ids: np.ndarray
    """[I] int64, sorted: every image of the annotation file."""
    persons: np.ndarray
    """[I] int64: evaluated persons."""
    keypoints: np.ndarray
    """[I] int64: labelled keypoints of these persons."""
    found: np.ndarray
    """[I] int64: keypoints predicted within half a head size."""

    @classmethod
    def of_persons(
        cls, image_ids: np.ndarray, person_images: np.ndarray, labelled: np.ndarray, found: np.ndarray
    ) -> "KeypointHits":
        """Sum labelled and found keypoints [N, K] of persons in images [N] over all images [I], given in any order."""
        images = np.sort(image_ids)
        position = np.searchsorted(images, person_images)

        def total(values: np.ndarray) -> np.ndarray:
            return np.bincount(position, values, minlength=len(images)).astype(np.int64)

        return cls(images, total(np.ones(len(position))), total(labelled.sum(axis=1)), total(found.sum(axis=1)))

    def __len__(self) -> int:
        return len(self.image_ids)

    def accuracy(self, weights: np.ndarray) -> np.ndarray:
        """Return PCKh [S] of samples that contain each image weights [S, I] times; -1 without labelled keypoints."""
        keypoints = weights @ self.keypoints
        return np.where(keypoints > 0, (weights @ self.found) / np.maximum(keypoints, 1), -1.0)


@dataclass(frozen=True)
class PckhMetrics:
    """Metrics of one set of results on one annotation file."""

    statistics: dict[str, float]
    """PCKh at each of `THRESHOLDS` over all labelled keypoints except pelvis and thorax, and PCKh50 of each group as
    `PCKh50_head` etc.: fractions, -1 if no keypoint is labelled."""
    images: int
    """Number of images in the annotation file."""
    persons: int
    """Number of evaluated persons: with labelled keypoints and not a crowd."""
    predictions: int
    """Number of predictions."""
    keypoints: tuple[KeypointPckh, ...]
    """PCKh of each keypoint, in the skeleton's order."""
    hits: KeypointHits
    """Table for the bootstrap; its accuracy is `statistics["PCKh50"]`."""


def read_hits(path: Path) -> KeypointHits:
    """Read a table from .npz, one array per field.

    Raises:
        InputError: the file is missing or is not such a table.
    """
    return KeypointHits(**read_npz(path, [field.name for field in fields(KeypointHits)], "table of keypoints"))


def evaluate_pckh(annotations: CocoAnnotations, results: PoseResults, skeleton: Skeleton) -> PckhMetrics:
    """Evaluate results with one prediction per annotated person (equal to the official evaluation except PCKh10).

    Args:
        annotations: from a file with `head_size` in each record, in image pixels.

    Raises:
        InputError: a person has no head size, or not exactly one prediction.
    """
    counted = annotations.persons.is_labelled & ~annotations.persons.is_crowd
    persons = annotations.persons.select(counted)
    head_sizes = _head_sizes(annotations.source, np.flatnonzero(counted))
    labelled = persons.keypoints[:, :, 2] > 0
    predicted = results.keypoints[_prediction_of_each(persons, results, annotations)]
    distances = np.linalg.norm(predicted[:, :, :2] - persons.keypoints[:, :, :2], axis=2) / head_sizes[:, None]
    found = {name: (distances <= threshold) & labelled for name, threshold in THRESHOLDS.items()}
    in_mean = ~np.isin(skeleton.keypoints, NOT_IN_MEAN)
    shares = {name: _shares(hits.sum(axis=0), labelled.sum(axis=0)) for name, hits in found.items()}
    means = {name: float(_shares(hits[:, in_mean].sum(), labelled[:, in_mean].sum())) for name, hits in found.items()}
    return PckhMetrics(
        statistics=means | _group_statistics(shares["PCKh50"], skeleton),
        images=len(annotations.images),
        persons=len(persons),
        predictions=len(results),
        keypoints=tuple(
            KeypointPckh(name, float(shares["PCKh50"][k]), float(shares["PCKh10"][k]), int(labelled[:, k].sum()))
            for k, name in enumerate(skeleton.keypoints)
        ),
        hits=KeypointHits.of_persons(
            annotations.images.ids, persons.image_ids, labelled[:, in_mean], found["PCKh50"][:, in_mean]
        ),
    )


def _head_sizes(path: Path, positions: np.ndarray) -> np.ndarray:
    """Read the head sizes [n] float64 of the annotations at positions [n] of the file."""
    records = read_records(path, read_json(path), "annotations")
    chosen = [records[position] for position in positions.tolist()]
    return column(path, chosen, "head_size", _as_head_sizes, lambda position: f"annotation {chosen[position]['id']}")


def _as_head_sizes(values: list[Any]) -> np.ndarray:
    sizes = as_areas(values)
    if not (sizes > 0).all():
        raise ValueError("must be positive")
    return sizes


def _prediction_of_each(persons: PersonInstances, results: PoseResults, annotations: CocoAnnotations) -> np.ndarray:
    """Return the index of each person's prediction, [N] int64."""
    source = annotations.source
    if results.annotation_ids is None:
        problem = "PCKh needs predictions in annotated boxes, but the predictions have no annotation ids"
        raise InputError(problem, file=source, field="annotation_id")
    unknown = ~np.isin(results.annotation_ids, annotations.persons.annotation_ids)
    if unknown.any():
        problem = "has a prediction, but is not in the file"
        raise InputError(problem, file=source, record=f"annotation {results.annotation_ids[unknown][0]}")
    order = np.argsort(results.annotation_ids, kind="stable")
    ends = [np.searchsorted(results.annotation_ids[order], persons.annotation_ids, side) for side in ("left", "right")]
    wrong = np.flatnonzero(ends[1] - ends[0] != 1)
    if len(wrong):
        count = ends[1][wrong[0]] - ends[0][wrong[0]]
        raise InputError(
            f"has {count} predictions", file=source, record=f"annotation {persons.annotation_ids[wrong[0]]}"
        )
    return order[ends[0]]


def _shares(found: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    return np.where(labelled > 0, found / np.maximum(labelled, 1), -1.0)


def _group_statistics(shares: np.ndarray, skeleton: Skeleton) -> dict[str, float]:
    statistics = {}
    for group, names in GROUPS.items():
        values = [shares[skeleton.index(name)] for name in names if name in skeleton.keypoints]
        statistics[f"PCKh50_{group}"] = float(np.mean(values)) if values and min(values) >= 0 else -1.0
    return statistics
