"""Predicted persons in the COCO results format, as evaluation servers take it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transpose.data.coco import PERSON_CATEGORY, CocoAnnotations
from transpose.data.fields import as_integers, as_numbers, as_vectors, column, read_records
from transpose.errors import InputError
from transpose.files import read_json, write_json
from transpose.skeleton import Skeleton


@dataclass(frozen=True)
class PoseResults:
    """N predicted persons with K keypoints each."""

    image_ids: np.ndarray
    """[N] int64."""
    keypoints: np.ndarray
    """[N, K, 3] float64: x, y in image pixels and the keypoint's score."""
    scores: np.ndarray
    """[N] float64 score of the person."""
    annotation_ids: np.ndarray | None = None
    """[N] int64: the person in whose annotated box each was predicted; None where nobody asked for it."""

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def flat_keypoints(self) -> list[list[float]]:
        """N lists x, y, score, x, y, score, ..., as files hold them."""
        return self.keypoints.reshape(len(self), 3 * self.keypoints.shape[1]).tolist()


def write_results(results: PoseResults, path: Path) -> None:
    """Write the list of COCO results atomically; every number reads back exactly.

    Records also name the person in whose box they were predicted, `annotation_id`, where the results know it.
    """
    records = [
        {"image_id": image_id, "category_id": PERSON_CATEGORY, "keypoints": keypoints, "score": score}
        for image_id, keypoints, score in zip(
            results.image_ids.tolist(),
            results.flat_keypoints,
            results.scores.tolist(),
            strict=True,
        )
    ]
    if results.annotation_ids is not None:
        for record, annotation_id in zip(records, results.annotation_ids.tolist(), strict=True):
            record["annotation_id"] = annotation_id
    write_json(path, records, indent=None)


def read_results(path: Path, skeleton: Skeleton) -> PoseResults:
    """Read a file of COCO keypoint results.

    Raises:
        InputError: the file is missing or is no list of keypoint results of persons; record and field are named.
    """
    records = read_records(path, read_json(path), None)

    def name(position: int) -> str:
        return f"record[{position}]"

    column(path, records, "category_id", _require_persons, name)
    named = any("annotation_id" in record for record in records)
    return PoseResults(
        image_ids=column(path, records, "image_id", as_integers, name),
        keypoints=column(
            path, records, "keypoints", lambda values: as_vectors(values, 3 * len(skeleton)), name
        ).reshape(-1, len(skeleton), 3),
        scores=column(path, records, "score", as_numbers, name),
        annotation_ids=column(path, records, "annotation_id", as_integers, name) if named else None,
    )


def read_results_on(path: Path, annotations: CocoAnnotations, skeleton: Skeleton) -> PoseResults:
    """Read a file of COCO keypoint results on the pictures of an annotation file.

    Raises:
        InputError: as `read_results`, or a result is of another picture.
    """
    results = read_results(path, skeleton)
    unknown = np.flatnonzero(annotations.images.find(results.image_ids) < 0)
    if len(unknown):
        problem = f"{results.image_ids[unknown[0]]} is no picture of {annotations.source}"
        raise InputError(path, f"record[{unknown[0]}]", "image_id", problem)
    return results


def _require_persons(values: list[Any]) -> None:
    if (as_integers(values) != PERSON_CATEGORY).any():
        raise ValueError(f"must be {PERSON_CATEGORY}, a person")
