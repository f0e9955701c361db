"""COCO keypoint annotations as packed arrays."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from transpose.columns import Columns
from transpose.data.fields import (
    as_areas,
    as_boxes,
    as_file_names,
    as_flags,
    as_integers,
    as_keypoints,
    as_sides,
    column,
    read_records,
    unique_ids,
)
from transpose.errors import InputError
from transpose.files import read_json
from transpose.skeleton import Skeleton

Values = TypeVar("Values")

PERSON_CATEGORY = 1
"""COCO's category id of persons."""


@dataclass(frozen=True)
class ImageTable:
    """The M images of an annotation file, in file order."""

    ids: np.ndarray
    """[M] int64."""
    file_names: list[str]
    sizes_hw: np.ndarray
    """[M, 2] int32: (height, width)."""
    as_displayed: np.ndarray | None = None
    """[M] bool: annotated with the EXIF orientation applied; None if no image is."""

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, positions: np.ndarray) -> "ImageTable":
        """Return the images at positions [n], in that order."""
        file_names = [self.file_names[position] for position in positions.tolist()]
        as_displayed = None if self.as_displayed is None else self.as_displayed[positions]
        return ImageTable(self.ids[positions], file_names, self.sizes_hw[positions], as_displayed)

    @property
    def image_bytes(self) -> np.ndarray:
        """[M] int64: bytes of each decoded image, three per pixel."""
        return self.sizes_hw.astype(np.int64).prod(axis=1) * 3

    @cached_property
    def _order(self) -> np.ndarray:
        return np.argsort(self.ids, kind="stable")

    def find(self, image_ids: np.ndarray) -> np.ndarray:
        """Return the positions [N] int64 of image ids in this table, -1 for unknown ids."""
        if not len(self):
            return np.full(len(image_ids), -1)
        slots = np.searchsorted(self.ids, image_ids, sorter=self._order)
        positions = self._order[np.minimum(slots, len(self) - 1)]
        return np.where(self.ids[positions] == image_ids, positions, -1)


@dataclass(frozen=True)
class PersonInstances(Columns):
    """N annotated persons with K keypoints each."""

    image_ids: np.ndarray
    """[N] int64."""
    annotation_ids: np.ndarray
    """[N] int64."""
    boxes_xywh: np.ndarray
    """[N, 4] float64, image pixels."""
    keypoints: np.ndarray
    """[N, K, 3] float64: x, y in image pixels and v: 0 (not labelled), 1 (occluded) or 2 (visible)."""
    areas: np.ndarray
    """[N] float64, area of the person's mask in square image pixels."""
    is_crowd: np.ndarray
    """[N] bool."""

    @property
    def is_labelled(self) -> np.ndarray:
        """[N] bool: the person has a labelled keypoint."""
        return np.asarray((self.keypoints[:, :, 2] > 0).any(axis=1))


@dataclass(frozen=True)
class CocoAnnotations:
    """The contents of an annotation file."""

    source: Path
    """Path of the file, for messages."""
    images: ImageTable
    persons: PersonInstances
    category_names: tuple[int | str, ...] = (PERSON_CATEGORY, "person")
    """Ids and names that the annotated categories have in the file that was imported, by which detections name them."""
    clips_boxes: bool = True
    """Clip boxes to the image before use. False if the file has `info.clip_boxes: false`: its boxes are frames to
    crop, as in MPII, and may extend beyond the image."""

    def image_index(self, image_id: int) -> int:
        """Return the position of an image in `images`.

        Raises:
            KeyError: there is no such image.
        """
        position = int(self.images.find(np.array([image_id]))[0])
        if position < 0:
            raise KeyError(image_id)
        return position

    def numbered(self) -> "CocoAnnotations":
        """Return the annotations with persons' ids from 1, because COCO evaluators take a match with id 0 for none."""
        return replace(self, persons=replace(self.persons, annotation_ids=np.arange(1, len(self.persons) + 1)))

    def to_coco(self) -> dict[str, Any]:
        """Return the content of a COCO keypoint file, from which `load_annotations` reads the same arrays."""
        images, persons = self.images, self.persons
        image_columns: dict[str, list[Any]] = {
            "id": images.ids.tolist(),
            "file_name": images.file_names,
            "height": images.sizes_hw[:, 0].tolist(),
            "width": images.sizes_hw[:, 1].tolist(),
        }
        if images.as_displayed is not None:
            image_columns["as_displayed"] = images.as_displayed.tolist()
        person_columns = {
            "id": persons.annotation_ids.tolist(),
            "image_id": persons.image_ids.tolist(),
            "category_id": [PERSON_CATEGORY] * len(persons),
            "bbox": persons.boxes_xywh.tolist(),
            "area": persons.areas.tolist(),
            "iscrowd": persons.is_crowd.astype(int).tolist(),
            "keypoints": persons.keypoints.reshape(len(persons), 3 * persons.keypoints.shape[1]).tolist(),
            "num_keypoints": (persons.keypoints[:, :, 2] > 0).sum(axis=1).tolist(),
        }
        return {
            "info": {"clip_boxes": self.clips_boxes},
            "images": _records(image_columns),
            "annotations": _records(person_columns),
            "categories": [{"id": PERSON_CATEGORY, "name": "person"}],
        }


def load_annotations(path: Path, skeleton: Skeleton) -> CocoAnnotations:
    """Read and check a COCO keypoint annotation file.

    Raises:
        InputError: the file is missing or not JSON, a field is missing or has a wrong type, an id is repeated, a person
            is in an unknown image, `num_keypoints` is wrong, an image name is not inside the image folder, or the
            person category lists other keypoints than `skeleton`. File, id and field are named.
    """
    return parse_annotations(path, read_json(path), skeleton)


def parse_annotations(path: Path, content: Any, skeleton: Skeleton) -> CocoAnnotations:
    """Check the parsed content of an annotation file; see `load_annotations`."""
    _check_category(path, read_records(path, content, "categories"), skeleton)
    images = image_table(path, read_records(path, content, "images"))
    persons = _persons(path, read_records(path, content, "annotations"), len(skeleton))
    unknown = np.flatnonzero(images.find(persons.image_ids) < 0)
    if len(unknown):
        record = f"annotation {persons.annotation_ids[unknown[0]]}"
        raise InputError(
            f"no image has the id {persons.image_ids[unknown[0]]}", file=path, record=record, field="image_id"
        )
    return CocoAnnotations(
        path, images, persons, _category_names(content["categories"]), _clips_boxes(path, content.get("info"))
    )


def clip_boxes(boxes_xywh: np.ndarray, sizes_hw: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Clip boxes to their images in whole pixels; matches the official evaluation (its `clean_bbox`).

    Args:
        boxes_xywh: [N, 4] image pixels.
        sizes_hw: [N, 2] (height, width) of each box's image.

    Returns:
        Clipped boxes [N, 4], and [N] bool: the box overlaps the image.
    """
    start = np.maximum(boxes_xywh[:, :2], 0)
    end = np.minimum(start + np.maximum(boxes_xywh[:, 2:] - 1, 0), sizes_hw[:, ::-1] - 1)
    return np.concatenate([start, end - start + 1], axis=1), np.all(end >= start, axis=1)


def training_instances(annotations: CocoAnnotations) -> PersonInstances:
    """Return the persons for training and for evaluation with ground-truth boxes (the official evaluation's selection).

    They have keypoints and an area and are not crowds. Their boxes overlap the image and are clipped to it, unless the
    file sets `clip_boxes: false`.
    """
    boxes, reasons = _selection(annotations)
    keep = ~np.logical_or.reduce(list(reasons.values()))
    return replace(annotations.persons, boxes_xywh=boxes).select(keep)


def dropped_instances(annotations: CocoAnnotations) -> dict[str, int]:
    """Count the persons that `training_instances` drops, each under the first reason that applies."""
    counts, remaining = {}, np.ones(len(annotations.persons), dtype=bool)
    for reason, applies in _selection(annotations)[1].items():
        counts[reason] = int((remaining & applies).sum())
        remaining &= ~applies
    return counts


def _selection(annotations: CocoAnnotations) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the boxes [N, 4] of all persons, clipped, and for each reason to drop a person [N] bool: it applies."""
    persons = annotations.persons
    sizes_hw = annotations.images.sizes_hw[annotations.images.find(persons.image_ids)]
    boxes, inside = clip_boxes(persons.boxes_xywh, sizes_hw)
    if not annotations.clips_boxes:
        boxes = persons.boxes_xywh
    return boxes, {
        "crowd": persons.is_crowd,
        "no_keypoints": ~(persons.keypoints != 0).any(axis=(1, 2)),
        # A clipped box has at least one pixel; an unclipped one may be empty.
        "no_area": (persons.areas <= 0) | ~boxes[:, 2:].any(axis=1),
        "outside": ~inside,
    }


def _records(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _category_names(categories: list[dict[str, Any]]) -> tuple[int | str, ...]:
    """Return the ids and names under which the person category is known outside of the file."""
    names = (PERSON_CATEGORY, "person")
    return next((tuple(record["imported_as"]) for record in categories if "imported_as" in record), names)


def _clips_boxes(path: Path, info: object) -> bool:
    clips = info.get("clip_boxes", True) if isinstance(info, dict) else True
    if not isinstance(clips, bool):
        raise InputError(f"must be true or false, not {clips!r}", file=path, record="info", field="clip_boxes")
    return clips


def _check_category(path: Path, categories: list[dict[str, Any]], skeleton: Skeleton) -> None:
    person = np.flatnonzero(unique_ids(path, categories, "category") == PERSON_CATEGORY)
    if not len(person):
        raise InputError(f"none has the id {PERSON_CATEGORY} (person)", file=path, field="categories")
    # COCO's evaluator accepts a category without keypoint names.
    listed = categories[person[0]].get("keypoints") or list(skeleton.keypoints)
    if listed != list(skeleton.keypoints):
        problem = f"must be those of the skeleton {skeleton.name!r}: {', '.join(skeleton.keypoints)}"
        raise InputError(problem, file=path, record=f"category {PERSON_CATEGORY}", field="keypoints")


def image_table(path: Path, records: list[dict[str, Any]]) -> ImageTable:
    """Read and check the images of an annotation file.

    Raises:
        InputError: a field is missing or has a wrong type, an id is repeated, or a name leads out of the folder.
    """
    ids = unique_ids(path, records, "image")

    def values(field: str, convert: Callable[[list[Any]], Values]) -> Values:
        return column(path, records, field, convert, lambda position: f"image {ids[position]}")

    sizes_hw = np.stack([values("height", as_sides), values("width", as_sides)], axis=1)
    as_displayed = None
    if any("as_displayed" in record for record in records):
        as_displayed = as_flags([record.get("as_displayed", False) for record in records])
    return ImageTable(ids, values("file_name", as_file_names), sizes_hw.astype(np.int32), as_displayed)


def _persons(path: Path, records: list[dict[str, Any]], keypoints: int) -> PersonInstances:
    ids = unique_ids(path, records, "annotation")

    def values(field: str, convert: Callable[[list[Any]], Values]) -> Values:
        return column(path, records, field, convert, lambda position: f"annotation {ids[position]}")

    values("category_id", as_person_categories)
    counts = values("num_keypoints", as_integers)
    persons = PersonInstances(
        image_ids=values("image_id", as_integers),
        annotation_ids=ids,
        boxes_xywh=values("bbox", as_boxes),
        keypoints=values("keypoints", partial(as_keypoints, keypoints=keypoints)),
        areas=values("area", as_areas),
        is_crowd=values("iscrowd", as_flags),
    )
    _check_counts(path, persons, counts)
    return persons


def _check_counts(path: Path, persons: PersonInstances, counts: np.ndarray) -> None:
    """Check `num_keypoints`: the official evaluation selects persons by it, training by the keypoints themselves."""
    labelled = (persons.keypoints[:, :, 2] > 0).sum(axis=1)
    wrong = np.flatnonzero(((labelled > 0) != (counts > 0)) & ~persons.is_crowd)
    if len(wrong):
        problem = f"is {counts[wrong[0]]}, but {labelled[wrong[0]]} keypoints are labelled"
        raise InputError(
            problem, file=path, record=f"annotation {persons.annotation_ids[wrong[0]]}", field="num_keypoints"
        )


def as_person_categories(values: list[Any]) -> None:
    """Check that category ids are those of persons."""
    if (as_integers(values) != PERSON_CATEGORY).any():
        raise ValueError(f"must be {PERSON_CATEGORY} (person)")
