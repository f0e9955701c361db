"""Person boxes: where the crops come from."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from transpose.data.coco import PERSON_CATEGORY, CocoAnnotations, training_instances
from transpose.data.fields import as_boxes, as_integers, as_numbers, column, read_records
from transpose.errors import InputError
from transpose.files import read_json, write_json


@dataclass(frozen=True)
class PersonBoxes:
    """N scored boxes."""

    image_ids: np.ndarray
    """[N] int64."""
    boxes_xywh: np.ndarray
    """[N, 4] float64, image pixels."""
    scores: np.ndarray
    """[N] float64."""
    annotation_ids: np.ndarray
    """[N] int64: the person that an annotated box belongs to, -1 for any other box."""

    def __len__(self) -> int:
        return len(self.image_ids)

    def select(self, chosen: np.ndarray) -> "PersonBoxes":
        """The boxes of a mask [N] or of positions [n], in that order."""
        return PersonBoxes(**{field.name: getattr(self, field.name)[chosen] for field in fields(self)})


@dataclass(frozen=True)
class Detections:
    """What a detection file holds for a set of images."""

    boxes: PersonBoxes
    other_categories: int
    """Skipped records of other categories than persons."""
    unknown_images: int
    """Skipped records of images outside of the annotations."""


def ground_truth_boxes(annotations: CocoAnnotations) -> PersonBoxes:
    """The boxes of all persons with keypoints, score 1; matches the official evaluation's ground-truth mode."""
    persons = training_instances(annotations)
    return PersonBoxes(persons.image_ids, persons.boxes_xywh, np.ones(len(persons)), persons.annotation_ids)


def detection_boxes(path: Path, annotations: CocoAnnotations) -> Detections:
    """The persons of a COCO-format detection file, unclipped and whatever their score (as the official evaluation).

    Raises:
        InputError: the file is missing or ill-formed, or none of its persons lies in an image of the annotations.
    """
    boxes, is_person = _read_records(path)
    is_known = annotations.images.find(boxes.image_ids) >= 0
    keep = is_person & is_known
    if len(boxes) and not keep.any():
        raise InputError(path, None, None, f"no person in any image of {annotations.source}")
    return Detections(boxes.select(keep), int((~is_person).sum()), int((is_person & ~is_known).sum()))


def read_boxes(path: Path) -> PersonBoxes:
    """Read what `write_boxes` wrote.

    Raises:
        InputError: the file is missing or ill-formed; record and field are named.
    """
    boxes, is_person = _read_records(path)
    if not is_person.all():
        position = int(np.argmin(is_person))
        raise InputError(path, f"record[{position}]", "category_id", f"must be {PERSON_CATEGORY}, a person")
    return boxes


def write_boxes(boxes: PersonBoxes, path: Path) -> None:
    """Write boxes atomically in COCO's detection format; records of annotated boxes also name their person."""
    columns = (boxes.image_ids, boxes.boxes_xywh, boxes.scores, boxes.annotation_ids)
    records = []
    for image_id, box, score, annotation_id in zip(*(values.tolist() for values in columns), strict=True):
        record = {"image_id": image_id, "category_id": PERSON_CATEGORY, "bbox": box, "score": score}
        records.append(record if annotation_id < 0 else record | {"annotation_id": annotation_id})
    write_json(path, records, indent=None)


def _read_records(path: Path) -> tuple[PersonBoxes, np.ndarray]:
    """All boxes of a detection file, and [N] bool: it is a person's."""
    records = read_records(path, read_json(path))

    def name(position: int) -> str:
        return f"record[{position}]"

    categories = column(path, records, "category_id", as_integers, name)
    annotated = [position for position, record in enumerate(records) if "annotation_id" in record]
    annotation_ids = np.full(len(records), -1)
    annotation_ids[annotated] = column(
        path,
        [records[position] for position in annotated],
        "annotation_id",
        as_integers,
        lambda position: name(annotated[position]),
    )
    is_person = categories == PERSON_CATEGORY
    _check_areas(path, records, np.flatnonzero(is_person))
    boxes = PersonBoxes(
        column(path, records, "image_id", as_integers, name),
        column(path, records, "bbox", as_boxes, name),
        column(path, records, "score", as_numbers, name),
        annotation_ids,
    )
    return boxes, is_person


def _check_areas(path: Path, records: list[dict[str, Any]], persons: np.ndarray) -> None:
    """Boxes of other categories are skipped, so that it does not matter how large they are."""
    chosen = [records[position] for position in persons]
    column(path, chosen, "bbox", _as_boxes_with_area, lambda position: f"record[{persons[position]}]")


def _as_boxes_with_area(values: list[Any]) -> np.ndarray:
    boxes = as_boxes(values)
    if not (boxes[:, 2:] > 0).all():
        raise ValueError("has no width or no height")
    return boxes
