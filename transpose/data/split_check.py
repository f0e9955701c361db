"""The check of a split: counts of images and persons, and what is probably wrong in the annotations."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import NonNegativeInt

from transpose.config.base import Settings
from transpose.config.load import read_record
from transpose.data.annotation_warnings import DataWarning, annotation_warnings
from transpose.data.coco import CocoAnnotations, dropped_instances, load_annotations
from transpose.files import write_json
from transpose.skeleton import Skeleton

CHECK = "check.json"
"""Name of the check next to imported annotations."""


class SplitCheck(Settings):
    """What was found in a split."""

    images: NonNegativeInt
    """Images that can be used."""
    persons: NonNegativeInt
    """Persons with a labelled keypoint in these images."""
    derived: Mapping[str, int]
    """Field that was derived from others -> number of records."""
    left_out: Mapping[str, int]
    """Reason -> number of annotations that are not used."""
    unusable_images: Mapping[str, str]
    """Image that cannot be used -> problem."""
    warnings: Sequence[DataWarning]


def check_annotations(annotations: CocoAnnotations, skeleton: Skeleton) -> SplitCheck:
    """Check the annotations of a split; images are not read."""
    persons = annotations.persons
    labelled = int((persons.is_labelled & ~persons.is_crowd).sum())
    return SplitCheck(
        images=len(annotations.images),
        persons=labelled,
        derived={},
        left_out={reason: count for reason, count in dropped_instances(annotations).items() if count},
        unusable_images={},
        warnings=[*_unlabelled(len(persons), labelled), *annotation_warnings(annotations, skeleton)],
    )


def write_split_check(annotations: Path, skeleton: Skeleton, output: Path) -> SplitCheck:
    """Write the check of an annotation file in plain COCO; images are not read.

    Raises:
        InputError: the annotation file is missing or wrong.
    """
    check = check_annotations(load_annotations(annotations, skeleton), skeleton)
    write_json(output, check.model_dump(mode="json"))
    return check


def imported_check(annotations: Path) -> SplitCheck | None:
    """Return what was found when an annotation file was imported; None for files that were not imported.

    Raises:
        InputError: `check.json` is invalid.
    """
    path = annotations.with_name(CHECK)
    return read_record(SplitCheck, path) if path.is_file() else None


def _unlabelled(persons: int, labelled: int) -> list[DataWarning]:
    text = f"none of {persons} persons has a labelled keypoint"
    return [] if labelled else [DataWarning(kind="no_labels", count=persons, first=text)]
