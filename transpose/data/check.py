"""Check the splits and the box sources of a data set before anything is trained on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transpose.config.box_files import box_file
from transpose.config.dataset import Dataset, DetectorBoxes, FolderSource
from transpose.data.annotation_warnings import DataWarning
from transpose.data.box_sources import source_boxes
from transpose.data.image_source import image_source_of
from transpose.data.import_split import ImportedSplit, SplitSource, folder_source, read_split, unusable_reason
from transpose.errors import InputError


@dataclass(frozen=True)
class BoxCheck:
    """What was found in the boxes of a source."""

    count: int | None
    """Boxes that are used; None if they are not known without a download or a detector."""
    left_out: Mapping[str, int]
    warnings: Sequence[DataWarning]


@dataclass(frozen=True)
class CheckedSplit:
    """What was found in a split and in its box sources."""

    split: ImportedSplit
    boxes: Mapping[str, BoxCheck]
    reason: str | None
    """Why the split cannot be used; None if it can."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that `transpose check-data --json` writes."""
        boxes = {
            name: {
                "count": found.count,
                "left_out": dict(found.left_out),
                "warnings": [warning.model_dump(mode="json") for warning in found.warnings],
            }
            for name, found in self.boxes.items()
        }
        return {**self.split.check.model_dump(mode="json"), "boxes": boxes, "unusable": self.reason}


def check_dataset(
    dataset: Dataset, files: Mapping[str, Path], splits: Sequence[str] | None, jobs: int
) -> dict[str, CheckedSplit]:
    """Check splits of a data set; all by default.

    Args:
        files: the annotation files of all splits.
        jobs: number of images read in parallel.

    Raises:
        InputError: there is no such split, or its annotations or a box file are missing or wrong.
    """
    known = list(files)
    for split in splits or ():
        if split not in known:
            raise InputError(
                f"no split {split!r}; known are {', '.join(known)}",
                file="data set",
                record=dataset.title,
                field="split",
            )
    return {name: check_split(dataset, name, files[name], jobs) for name in splits or known}


def check_split(dataset: Dataset, split: str, annotations: Path, jobs: int) -> CheckedSplit:
    """Check one split; see `check_dataset`."""
    if isinstance(dataset.source, FolderSource):
        source = folder_source(dataset, split)
    else:
        source = SplitSource(annotations, image_source_of(annotations), dataset)
    found = read_split(source, jobs, decode=False)
    reason = unusable_reason(found)
    boxes = {} if reason else {name: _check_boxes(dataset, split, name, found) for name in dataset.boxes}
    return CheckedSplit(found, boxes, reason)


def _check_boxes(dataset: Dataset, split: str, name: str, found: ImportedSplit) -> BoxCheck:
    source = dataset.boxes[name]
    file = box_file(source, split)
    is_absent = file is not None and (file.is_remote or (file.listed_as and not Path(file.address).is_file()))
    if isinstance(source, DetectorBoxes) or is_absent:
        return BoxCheck(None, {}, [])
    boxes, counts = source_boxes(dataset, split, name, found.annotations, None)
    left_out = {"other_categories": counts.other_categories, "unknown_images": counts.unknown_images}
    left_out["empty_boxes"] = counts.empty_boxes
    if counts.annotated is not None:
        left_out |= counts.annotated.model_dump(exclude={"persons"})
    warnings = []
    if counts.images_without_boxes > counts.images / 2:
        text = f"{counts.images_without_boxes} of {counts.images} images have no box"
        warnings.append(DataWarning(kind="no_boxes", count=counts.images_without_boxes, first=text))
    return BoxCheck(len(boxes), {reason: count for reason, count in left_out.items() if count}, warnings)
