"""Read the person boxes of detectors and other tools, in any common form of the COCO detection format."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from transpose.config.dataset import CategoryChoice
from transpose.data.boxes import PersonBoxes
from transpose.data.coco import ImageTable
from transpose.data.fields import as_numbers, as_vectors, column_at, read_records
from transpose.data.record_names import are_persons, image_ids
from transpose.files import read_json


@dataclass(frozen=True)
class Detections:
    """The detections for a set of images."""

    boxes: PersonBoxes
    other_categories: int
    """Skipped records that are not persons."""
    unknown_images: int
    """Skipped records of images that are not annotated."""
    empty_boxes: int
    """Skipped records of persons without a width or a height."""

    @property
    def left_out(self) -> int:
        """Number of skipped records."""
        return self.other_categories + self.unknown_images + self.empty_boxes


def read_detections(
    path: Path,
    images: ImageTable,
    categories: Collection[int | str],
    choice: CategoryChoice = None,
    needs_scores: bool = True,
) -> Detections:
    """Read the persons of a detection file, unclipped and with any score (as the official evaluation does).

    Categories and images are read by `are_persons` and `image_ids`. A box has four numbers, or five, of which the last
    is the score.

    Args:
        categories: ids and names of the annotated categories.
        choice: ids or names of persons in this file; None: those of the annotations.
        needs_scores: refuse records without a score; otherwise it is 1.

    Raises:
        InputError: the file is missing or malformed, or its categories do not fit those of the annotations.
    """
    records = read_records(path, read_json(path))
    is_person = are_persons(path, records, categories, choice, "`category:` of the boxes")
    persons = np.flatnonzero(is_person).tolist()
    numbers = column_at(path, records, persons, "bbox", _as_boxes_and_scores)
    ids = image_ids(path, records, persons, images)
    scores = numbers[:, 4] if needs_scores else np.nan_to_num(numbers[:, 4], nan=1.0)
    rows = [row for row, score in enumerate(scores) if "score" in records[persons[row]] or np.isnan(score)]
    scores[rows] = column_at(path, records, [persons[row] for row in rows], "score", as_numbers)
    boxes = PersonBoxes(ids, numbers[:, :4], scores, np.full(len(persons), -1))
    is_empty, is_known = ~(boxes.boxes_xywh[:, 2:] > 0).all(axis=1), ids >= 0
    unknown = int((~is_known).sum())
    empty = int((is_known & is_empty).sum())
    return Detections(boxes.select(is_known & ~is_empty), len(records) - len(persons), unknown, empty)


def _as_boxes_and_scores(values: list[Any]) -> np.ndarray:
    """Convert [x, y, width, height], or with a score behind them, to [N, 5] float64; the score is NaN without one."""
    lengths = np.array([5 if isinstance(value, list) and len(value) == 5 else 4 for value in values], dtype=np.int64)
    numbers = np.full((len(values), 5), np.nan)
    for length in (4, 5):
        rows = np.flatnonzero(lengths == length)
        numbers[rows, :length] = as_vectors([values[row] for row in rows], length)
    if (numbers[:, 2:4] < 0).any():
        raise ValueError("has a negative width or height")
    return numbers
