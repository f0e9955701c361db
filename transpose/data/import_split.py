"""Import a split of a data set: read it in any tool's form, check it, and write it as plain COCO."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transpose.config.dataset import Dataset, FolderSource
from transpose.data.annotation_warnings import DataWarning
from transpose.data.coco import PERSON_CATEGORY, CocoAnnotations, image_table, parse_annotations
from transpose.data.image_source import image_source_of, point_to_folder, point_to_zip
from transpose.data.images import ImageFiles
from transpose.data.import_annotations import import_annotations
from transpose.data.import_images import ImageHeader, ImportedImages, import_images
from transpose.data.split_check import CHECK, SplitCheck, check_annotations
from transpose.data.zip_reader import ZipFolder
from transpose.errors import InputError
from transpose.files import write_json

_STOPS = "a study stops there, unless `unreadable_images: skip`"


@dataclass(frozen=True)
class ImportedSplit:
    """A split as plain COCO."""

    content: dict[str, Any]
    """Of the annotation file."""
    annotations: CocoAnnotations
    image_source: Path | ZipFolder
    check: SplitCheck


@dataclass(frozen=True)
class SplitSource:
    """Where a split is, and how it is read."""

    annotations: Path
    images: Path | ZipFolder
    dataset: Dataset = field(repr=False)


def folder_source(dataset: Dataset, split: str) -> SplitSource:
    """Return the files of a split of a data set in folders.

    Raises:
        InputError: `images.json` next to the annotations is invalid.
    """
    source = dataset.source
    assert isinstance(source, FolderSource)
    annotations = Path(source.folders[split]) / source.annotations
    images = image_source_of(annotations)
    is_pointed = images != annotations.parent / "images"
    return SplitSource(annotations, images if is_pointed else Path(source.folders[split]) / source.images, dataset)


def read_split(source: SplitSource, jobs: int, decode: bool) -> ImportedSplit:
    """Read and check a split.

    Args:
        jobs: number of images read in parallel.
        decode: decode every image; otherwise only headers are read and bodies checked for truncation.

    Raises:
        InputError: the annotation file is missing or wrong; file, record and field are named.
    """
    dataset, path = source.dataset, source.annotations
    orientation = dataset.orientation if isinstance(dataset.source, FolderSource) else "as_stored"
    found = import_annotations(path, dataset.skeleton, dataset.category, dataset.keypoint_fields)
    images = import_images(found.images, source.images, orientation, jobs)
    if decode:
        _drop_undecodable(images, source, jobs)
    usable = {record["id"] for record in images.records}
    persons = [person for person in found.persons if person["image_id"] in usable]
    keypoints = list(dataset.skeleton.keypoints)
    category = {"id": PERSON_CATEGORY, "name": "person", "keypoints": keypoints, "imported_as": found.category_names}
    content = {"images": images.records, "annotations": persons, "categories": [category]}
    if not found.clips_boxes:
        content = {"info": {"clip_boxes": False}, **content}
    annotations = parse_annotations(path, content, dataset.skeleton)
    checked = check_annotations(annotations, dataset.skeleton)
    unused = Counter({"unusable_image": len(found.persons) - len(persons)})
    check = checked.model_copy(
        update={
            "derived": dict(found.derived + images.derived),
            "left_out": dict(found.left_out + unused + Counter(checked.left_out)),
            "unusable_images": {header.file_name: str(header.problem) for header in images.unusable},
            "warnings": [*_image_warnings(images), *checked.warnings],
        }
    )
    return ImportedSplit(content, annotations, source.images, check)


def unusable_reason(split: ImportedSplit) -> str | None:
    """Return why nothing can be trained or evaluated on a split; None if it can be used."""
    if not split.check.images:
        first = next(iter(split.check.unusable_images.items()), None)
        return "no image can be read" + (f"; the first, {first[0]}: {first[1]}" if first else "")
    return None if split.check.persons else "no person has a labelled keypoint"


def import_split(dataset: Dataset, split: str, jobs: int, output: Path) -> SplitCheck:
    """Write a split in folders as plain COCO to `output`, with `check.json` and `images.json` next to it.

    Every image is decoded once.

    Raises:
        InputError: the split is wrong or cannot be used, or an image cannot be read and `unreadable_images` is
            `refuse`.
    """
    source = folder_source(dataset, split)
    found = read_split(source, jobs, decode=True)
    if reason := unusable_reason(found):
        raise InputError(reason, file=source.annotations)
    assert isinstance(dataset.source, FolderSource)
    unusable = found.check.unusable_images
    if unusable and dataset.source.unreadable_images == "refuse":
        name, problem = next(iter(unusable.items()))
        more = f" (and {len(unusable) - 1} more images)" if len(unusable) > 1 else ""
        raise InputError(f"{problem}{more}; `unreadable_images: skip` leaves them out", file=source.images, record=name)
    if isinstance(found.image_source, ZipFolder):
        point_to_zip(output, found.image_source.archive, found.image_source.folder)
    else:
        point_to_folder(output, found.image_source)
    write_json(output.with_name(CHECK), found.check.model_dump(mode="json"))
    write_json(output, found.content, indent=None)
    return found.check


def _drop_undecodable(images: ImportedImages, source: SplitSource, jobs: int) -> None:
    """Move the images that cannot be decoded to the unusable ones."""
    files = ImageFiles(source.images, image_table(source.annotations, images.records))

    def problem_of(position: int) -> str | None:
        try:
            files.read(position)
        except InputError as error:
            return error.problem
        return None

    with ThreadPoolExecutor(jobs) as pool:
        problems = list(pool.map(problem_of, range(len(images.records))))
    named = zip(images.records, problems, strict=True)
    broken = [ImageHeader(record["file_name"], None, problem=problem) for record, problem in named if problem]
    images.records = [record for record, problem in zip(images.records, problems, strict=True) if problem is None]
    images.unusable.extend(broken)


def _image_warnings(images: ImportedImages) -> list[DataWarning]:
    kinds: dict[str, list[str]] = {
        "missing_image": [f"{h.file_name}; {_STOPS}" for h in images.unusable if h.is_missing],
        "unreadable_image": [f"{h.file_name}: {h.problem}; {_STOPS}" for h in images.unusable if not h.is_missing],
        "orientation": [
            f"{name}: has an EXIF orientation that the annotated size does not decide; it is read as stored; set"
            " `orientation: as_displayed` or `as_stored`"
            for name in images.undecided
        ],
        "bit_depth": [f"{name}: 10 or 12 bits in values of 16, which are scaled" for name in images.shallow],
        "duplicate": [name for name, n in Counter(r["file_name"] for r in images.records).items() if n > 1],
    }
    return [DataWarning(kind=kind, count=len(names), first=names[0]) for kind, names in kinds.items() if names]
