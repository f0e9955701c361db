"""Person boxes, from which crops are taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transpose.columns import Columns
from transpose.data.coco import PERSON_CATEGORY, CocoAnnotations, as_person_categories, training_instances
from transpose.data.fields import (
    as_boxes_with_area,
    as_integers,
    as_numbers,
    column,
    optional_integers,
    read_records,
)
from transpose.files import read_json, write_json


@dataclass(frozen=True)
class PersonBoxes(Columns):
    """N scored boxes."""

    image_ids: np.ndarray
    """[N] int64."""
    boxes_xywh: np.ndarray
    """[N, 4] float64, image pixels."""
    scores: np.ndarray
    """[N] float64."""
    annotation_ids: np.ndarray
    """[N] int64: annotation of an annotated person's box, -1 for other boxes."""


def boxes_of_images(image_ids: np.ndarray, found: Sequence[tuple[np.ndarray, np.ndarray]]) -> PersonBoxes:
    """Join the boxes [n, 4] and scores [n] found in each image [M]; they have no annotation."""
    boxes = np.concatenate([np.empty((0, 4)), *(boxes for boxes, _ in found)])
    scores = np.concatenate([np.empty(0), *(scores for _, scores in found)])
    counts = [len(scores) for _, scores in found]
    return PersonBoxes(np.repeat(image_ids, counts), boxes, scores, np.full(len(scores), -1))


def ground_truth_boxes(annotations: CocoAnnotations) -> PersonBoxes:
    """Return the boxes of all persons with keypoints, score 1; matches the official evaluation's ground-truth mode."""
    persons = training_instances(annotations)
    return PersonBoxes(persons.image_ids, persons.boxes_xywh, np.ones(len(persons)), persons.annotation_ids)


def read_boxes(path: Path) -> PersonBoxes:
    """Read a file written by `write_boxes`.

    Raises:
        InputError: the file is missing or malformed; record and field are named.
    """
    records = read_records(path, read_json(path))
    column(path, records, "category_id", as_person_categories)
    return PersonBoxes(
        column(path, records, "image_id", as_integers),
        column(path, records, "bbox", as_boxes_with_area),
        column(path, records, "score", as_numbers),
        optional_integers(path, records, "annotation_id", default=-1),
    )


def write_boxes(boxes: PersonBoxes, path: Path) -> None:
    """Write boxes atomically in COCO detection format; annotated boxes also have an `annotation_id`."""
    columns = (boxes.image_ids, boxes.boxes_xywh, boxes.scores, boxes.annotation_ids)
    records = []
    for image_id, box, score, annotation_id in zip(*(values.tolist() for values in columns), strict=True):
        record = {"image_id": image_id, "category_id": PERSON_CATEGORY, "bbox": box, "score": score}
        records.append(record if annotation_id < 0 else record | {"annotation_id": annotation_id})
    write_json(path, records, indent=None)
