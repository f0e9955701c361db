"""Read keypoint results of other tools, in any common form of the COCO results format."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transpose.config.dataset import CategoryChoice
from transpose.data.coco import CocoAnnotations
from transpose.data.fields import as_numbers, as_vectors, column_at, read_records
from transpose.data.person_fields import Record, flat_points, joined_points
from transpose.data.record_names import are_persons, image_ids
from transpose.errors import InputError
from transpose.files import read_json
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton


@dataclass(frozen=True)
class ExternalResults:
    """Keypoint results of another tool on an annotation file."""

    results: PoseResults
    derived: Counter[str]
    """Field that was derived -> number of records."""
    left_out: Counter[str]
    """Reason -> number of records."""
    has_keypoint_scores: bool
    """All keypoints of the file have a score; if not, those without have the score of the person."""
    box_centres: np.ndarray
    """[N, 2] float64, image pixels: centre of the box that a record names (`bbox`, or `center`); NaN without one."""


def read_external_results(
    path: Path,
    annotations: CocoAnnotations,
    skeleton: Skeleton,
    category: CategoryChoice = None,
    written_ids: Mapping[int | str, int] | None = None,
    keypoint_fields: Sequence[str] = ("keypoints",),
) -> ExternalResults:
    """Read a list of results, or a dictionary with the list `annotations`.

    Categories and images are read by `are_persons` and `image_ids`. Keypoints are x, y, score, or x, y, in a flat list
    or one list per point. The score of a person without one is the mean score of its keypoints. Other fields are not
    read.

    Args:
        category: ids or names of persons in the file; None: those of the annotations.
        written_ids: image ids that the annotation file itself has -> ids of `annotations`; None: they are the same.
        keypoint_fields: fields whose points, one after the other, are the skeleton's keypoints; a record that has only
            the first has all points there.

    Raises:
        InputError: the file is missing or malformed, its categories or keypoints do not fit, or no result is in an
            annotated image.
    """
    content = read_json(path)
    records = read_records(path, content, "annotations" if isinstance(content, dict) else None)
    is_person = are_persons(path, records, annotations.category_names, category, "--category")
    persons = np.flatnonzero(is_person).tolist()
    ids = image_ids(path, records, persons, annotations.images, written_ids)
    known = np.flatnonzero(ids >= 0)
    if len(persons) and not len(known):
        first = records[persons[0]].get("image_id", records[persons[0]].get("file_name"))
        problem = f"none is in an image of {annotations.source}; the first is in {first!r}"
        raise InputError(problem, file=path, field="image_id")
    chosen = [persons[position] for position in known.tolist()]
    points = _points(path, records, chosen, skeleton, keypoint_fields)
    scores, without_score = _scores(path, records, chosen, points)
    is_absent = np.isnan(points[..., 2])
    # Keypoint scores do not affect the evaluation.
    points[..., 2] = np.where(is_absent, scores[:, None], points[..., 2])
    return ExternalResults(
        PoseResults(ids[known], points, scores),
        derived=+Counter({"score from keypoints": without_score}),
        left_out=+Counter({"other_category": len(records) - len(persons), "unknown_image": len(persons) - len(chosen)}),
        has_keypoint_scores=not is_absent.any(),
        box_centres=np.array([_box_centre(records[position]) for position in chosen]).reshape(-1, 2),
    )


def _points(
    path: Path, records: list[Record], chosen: list[int], skeleton: Skeleton, fields: Sequence[str]
) -> np.ndarray:
    """Return the keypoints [N, K, 3] float64 of the records at positions `chosen`; the score is NaN without one."""
    first = fields[0]
    if len(fields) > 1:
        joined = {position: joined_points(records[position], fields) for position in chosen}
        records = [
            record if joined.get(position) is None else {**record, first: joined[position]}
            for position, record in enumerate(records)
        ]
    return column_at(path, records, chosen, first, lambda values: _as_points(values, skeleton))


def _as_points(values: list[Any], skeleton: Skeleton) -> np.ndarray:
    """Convert x, y, score, ... or x, y, ..., flat or nested, to [N, K, 3] float64; the score is NaN without one."""
    keypoints = len(skeleton)
    flat = [flat_points(value) for value in values]
    lengths = [len(value) if isinstance(value, list) else 3 * keypoints for value in flat]
    for length in lengths:
        if length not in (2 * keypoints, 3 * keypoints):
            raise ValueError(
                f"must have {3 * keypoints} numbers, or {2 * keypoints} without scores, for the {keypoints} keypoints"
                f" of {skeleton.name!r}, not {length}"
            )
    points = np.full((len(flat), keypoints, 3), np.nan)
    for values_per_point in (2, 3):
        rows = [row for row, length in enumerate(lengths) if length == values_per_point * keypoints]
        numbers = as_vectors([flat[row] for row in rows], values_per_point * keypoints)
        points[rows, :, :values_per_point] = numbers.reshape(-1, keypoints, values_per_point)
    return points


def _box_centre(record: Record) -> tuple[float, float]:
    """Return the centre of a record's box (`bbox`: x, y, width, height) or crop (`center`), NaN without a valid one."""
    for field, length in (("bbox", 4), ("center", 2)):
        values = record.get(field)
        if isinstance(values, list) and len(values) == length and all(isinstance(one, int | float) for one in values):
            first, second, *sides = map(float, values)
            width, height = sides or (0.0, 0.0)
            return first + width / 2, second + height / 2
    return math.nan, math.nan


def _scores(path: Path, records: list[Record], chosen: list[int], points: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the scores [N] float64, and how many of them are means of keypoint scores."""
    means = points[..., 2].mean(axis=1)
    absent = np.array([records[position].get("score") is None for position in chosen], dtype=bool)
    unknown = np.flatnonzero(absent & np.isnan(means))
    if len(unknown):
        problem = "missing, and its keypoints have no scores to take the mean of"
        raise InputError(problem, file=path, record=f"record[{chosen[unknown[0]]}]", field="score")
    given = [position for position, is_absent in zip(chosen, absent.tolist(), strict=True) if not is_absent]
    means[~absent] = column_at(path, records, given, "score", as_numbers)
    return means, int(absent.sum())
