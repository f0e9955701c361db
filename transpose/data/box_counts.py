"""What became of person boxes on their way from a source to a file, as numbers."""

import numpy as np
from pydantic import NonNegativeInt

from transpose.config.base import Name, Settings
from transpose.config.dataset import BoxKind
from transpose.data.boxes import PersonBoxes
from transpose.data.coco import CocoAnnotations, dropped_instances


class AnnotatedPersons(Settings):
    """Persons of an annotation file, and why some of them have no box; each is counted under the first reason."""

    persons: NonNegativeInt
    crowd: NonNegativeInt
    no_keypoints: NonNegativeInt
    no_area: NonNegativeInt
    outside: NonNegativeInt
    """Nothing of the box lies inside the image."""


class BoxCounts(Settings):
    """The record beside a file of person boxes."""

    dataset_title: str
    split: Name
    boxes: Name
    kind: BoxKind
    kept: NonNegativeInt
    """Boxes in the file."""
    images: NonNegativeInt
    images_without_boxes: NonNegativeInt
    other_categories: NonNegativeInt = 0
    """Records of a detection file that are no persons."""
    unknown_images: NonNegativeInt = 0
    """Persons of a detection file in images outside of the annotations."""
    unreadable_images: NonNegativeInt = 0
    """Images that were left out of the split, since they cannot be read."""
    annotated: AnnotatedPersons | None = None
    """For annotated boxes only."""

    @property
    def dropped(self) -> int:
        """Records of the source, or annotated persons, that gave no box."""
        of_annotated = self.annotated.persons - self.kept if self.annotated else 0
        return self.other_categories + self.unknown_images + of_annotated


def count_annotated(annotations: CocoAnnotations) -> AnnotatedPersons:
    """All annotated persons and those that get no ground-truth box."""
    return AnnotatedPersons(persons=len(annotations.persons), **dropped_instances(annotations))


def images_without_boxes(boxes: PersonBoxes, annotations: CocoAnnotations) -> int:
    """Images of the annotations that hold no box."""
    return int((~np.isin(annotations.images.ids, boxes.image_ids)).sum())


def render_counts(counts: BoxCounts) -> str:
    """The counts in a line of text."""
    parts = [f"{counts.kept:,} {counts.kind.replace('_', ' ')} boxes kept"]
    parts.append(f"{counts.images_without_boxes:,} of {counts.images:,} images without a box")
    if counts.unreadable_images:
        parts.append(f"{counts.unreadable_images:,} unreadable images left out before")
    if counts.kind == "detections":
        parts.append(f"{counts.other_categories:,} records of other categories skipped")
        parts.append(f"{counts.unknown_images:,} persons of unknown images skipped")
    if counts.annotated is not None:
        found = counts.annotated
        parts.append(
            f"{found.persons:,} annotated persons, of which dropped: {found.crowd:,} crowds, {found.no_keypoints:,}"
            f" without keypoints, {found.no_area:,} without area, {found.outside:,} outside of the image"
        )
    return "; ".join(parts)
