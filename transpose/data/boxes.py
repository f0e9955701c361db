"""Person boxes, from which crops are taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transpose.columns import Columns
from transpose.data.coco import PERSON_CATEGORY, CocoAnnotations, training_instances
from transpose.data.fields import (
    as_boxes,
    as_boxes_with_area,
    as_integers,
    as_numbers,
    column,
    column_at,
    optional_integers,
    read_records,
)
from transpose.errors import InputError
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


@dataclass(frozen=True)
class Detections:
    """The detections for a set of images."""

    boxes: PersonBoxes
    other_categories: int
    """Skipped records that are not persons."""
    unknown_images: int
    """Skipped records of images that are not annotated."""


def ground_truth_boxes(annotations: CocoAnnotations) -> PersonBoxes:
    """Return the boxes of all persons with keypoints, score 1; matches the official evaluation's ground-truth mode."""
    persons = training_instances(annotations)
    return PersonBoxes(persons.image_ids, persons.boxes_xywh, np.ones(len(persons)), persons.annotation_ids)


def detection_boxes(path: Path, annotations: CocoAnnotations) -> Detections:
    """Read the persons of a COCO detection file, unclipped and with any score (as the official evaluation does).

    Raises:
        InputError: the file is missing or malformed, or none of its persons is in an annotated image.
    """
    boxes, is_person = _read_records(path)
    is_known = annotations.images.find(boxes.image_ids) >= 0
    keep = is_person & is_known
    if len(boxes) and not keep.any():
        raise InputError(path, None, None, f"has no person in any image of {annotations.source}")
    return Detections(boxes.select(keep), int((~is_person).sum()), int((is_person & ~is_known).sum()))


def read_boxes(path: Path) -> PersonBoxes:
    """Read a file written by `write_boxes`.

    Raises:
        InputError: the file is missing or malformed; record and field are named.
    """
    boxes, is_person = _read_records(path)
    if not is_person.all():
        position = int(np.argmin(is_person))
        raise InputError(path, f"record[{position}]", "category_id", f"must be {PERSON_CATEGORY} (person)")
    return boxes


def write_boxes(boxes: PersonBoxes, path: Path) -> None:
    """Write boxes atomically in COCO detection format; annotated boxes also have an `annotation_id`."""
    columns = (boxes.image_ids, boxes.boxes_xywh, boxes.scores, boxes.annotation_ids)
    records = []
    for image_id, box, score, annotation_id in zip(*(values.tolist() for values in columns), strict=True):
        record = {"image_id": image_id, "category_id": PERSON_CATEGORY, "bbox": box, "score": score}
        records.append(record if annotation_id < 0 else record | {"annotation_id": annotation_id})
    write_json(path, records, indent=None)


def _read_records(path: Path) -> tuple[PersonBoxes, np.ndarray]:
    """Read all boxes of a detection file.

    Returns:
        The N boxes, and [N] bool: the box is a person's.
    """
    records = read_records(path, read_json(path))
    categories = column(path, records, "category_id", as_integers)
    annotation_ids = optional_integers(path, records, "annotation_id", default=-1)
    is_person = categories == PERSON_CATEGORY
    # Boxes of other categories may be empty, since they are skipped.
    column_at(path, records, np.flatnonzero(is_person).tolist(), "bbox", as_boxes_with_area)
    boxes = PersonBoxes(
        column(path, records, "image_id", as_integers),
        column(path, records, "bbox", as_boxes),
        column(path, records, "score", as_numbers),
        annotation_ids,
    )
    return boxes, is_person
