"""Counts of the person boxes that were kept and dropped."""

from pydantic import NonNegativeInt

from transpose.config.base import Name, Settings
from transpose.config.dataset import BoxKind


class AnnotatedPersons(Settings):
    """Annotated persons, and those without a box by reason; each is counted under the first reason that applies."""

    persons: NonNegativeInt
    crowd: NonNegativeInt
    no_keypoints: NonNegativeInt
    no_area: NonNegativeInt
    outside: NonNegativeInt
    """The box is entirely outside the image."""


class BoxCounts(Settings):
    """The counts written next to a file of person boxes."""

    dataset_title: str
    split: Name
    boxes: Name
    kind: BoxKind
    kept: NonNegativeInt
    """Boxes in the file."""
    images: NonNegativeInt
    images_without_boxes: NonNegativeInt
    other_categories: NonNegativeInt = 0
    """Records of a detection file that are not persons."""
    unknown_images: NonNegativeInt = 0
    """Persons of a detection file in images that are not annotated."""
    empty_boxes: NonNegativeInt = 0
    """Persons of a detection file without a width or a height."""
    unreadable_images: NonNegativeInt = 0
    """Images that were dropped from the split because they cannot be read."""
    areas_from_boxes: NonNegativeInt = 0
    """Persons whose area is a share of their box, because the annotations have neither areas nor segmentations."""
    annotated: AnnotatedPersons | None = None
    """Only for annotated boxes."""

    @property
    def dropped(self) -> int:
        """Number of source records or annotated persons without a box."""
        of_annotated = self.annotated.persons - self.kept if self.annotated else 0
        return self.other_categories + self.unknown_images + self.empty_boxes + of_annotated


def render_counts(counts: BoxCounts) -> str:
    """Return the counts as one line of text."""
    parts = [f"{counts.kept:,} {counts.kind.replace('_', ' ')} boxes kept"]
    parts.append(f"{counts.images_without_boxes:,} of {counts.images:,} images without a box")
    if counts.unreadable_images:
        parts.append(f"{counts.unreadable_images:,} unreadable images dropped")
    if counts.kind == "detections":
        parts.append(f"{counts.other_categories:,} records of other categories skipped")
        parts.append(f"{counts.unknown_images:,} persons of unknown images skipped")
    if counts.empty_boxes:
        parts.append(f"{counts.empty_boxes:,} empty boxes skipped")
    if counts.annotated is not None:
        found = counts.annotated
        parts.append(
            f"{found.persons:,} annotated persons, dropped: {found.crowd:,} crowds, {found.no_keypoints:,}"
            f" without keypoints, {found.no_area:,} without area, {found.outside:,} outside the image"
        )
    return "; ".join(parts)
