"""Extract a split from downloaded archives: its annotation file and a pointer to its images."""

import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transpose.config.dataset import ArchivedSplit
from transpose.data.fields import as_texts, column, read_records
from transpose.data.image_source import point_to_folder, point_to_zip
from transpose.data.zip_images import ZipFolder
from transpose.data.zip_members import checked_members, open_zip
from transpose.errors import InputError
from transpose.files import atomic_path


@dataclass(frozen=True)
class ExtractedSplit:
    """Counts of an extracted split."""

    images: int
    """Images that the annotations list; none is missing."""
    annotations: int
    other_images: int
    """Images in the folder that the annotations do not list."""


def extract_split(split: ArchivedSplit, downloads: Path, unpacked: Path | None, output: Path) -> ExtractedSplit:
    """Write the archive's annotation file to `output`, and next to it `images.json` with the location of the images.

    A file without annotations (a test split) gets an empty list of annotations.

    Args:
        downloads: folder of the archives, each as NAME.zip.
        unpacked: folder of the unpacked archives, each in NAME; None reads the images from their archive.

    Raises:
        InputError: an archive is damaged or lacks the member or folder, the annotations are not in COCO format, or a
            listed image is missing.
    """
    source = downloads / f"{split.annotations}.zip"
    data = _read_member(source, split.member)
    place = source / split.member
    content = _as_object(data, place)
    listed = set(
        column(place, read_records(place, content, "images"), "file_name", as_texts, lambda at: f"images[{at}]")
    )
    archive, folder = downloads / f"{split.images}.zip", None
    if unpacked is None:
        present = ZipFolder(archive, split.folder).names
    else:
        folder = unpacked / split.images / split.folder
        present = _names_in(folder)
    if missing := sorted(listed - present):
        problem = f"{len(missing)} of {len(listed)} images are missing, the first is {missing[0]}"
        raise InputError(archive if folder is None else folder, None, None, problem)
    with atomic_path(output) as temporary:
        temporary.write_bytes(data if "annotations" in content else _with_no_annotations(content))
        # Last, so that no pointer is left when the disk is too small for the annotations.
        if folder is None:
            point_to_zip(output, archive, split.folder)
        else:
            point_to_folder(output, folder)
    return ExtractedSplit(len(listed), len(content.get("annotations", [])), len(present - listed))


def _read_member(archive: Path, name: str) -> bytes:
    with open_zip(archive) as packed:
        names = {member.filename for member in checked_members(packed, archive)}
        if name not in names:
            files = ", ".join(sorted(member for member in names if member.endswith(".json"))) or "no JSON file"
            raise InputError(archive, name, None, f"no such member; it has {files}")
        try:
            return packed.read(name)
        except (zipfile.BadZipFile, EOFError) as error:
            raise InputError(archive, name, None, f"damaged: {error}") from None


def _as_object(data: bytes, place: Path) -> dict[str, Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(place, None, None, f"not JSON: {error}") from None
    if not isinstance(content, dict):
        raise InputError(place, None, None, "must be an object with images")
    return content


def _with_no_annotations(content: dict[str, Any]) -> bytes:
    return json.dumps(content | {"annotations": []}).encode()


def _names_in(folder: Path) -> set[str]:
    try:
        return {entry.name for entry in os.scandir(folder)}
    except OSError as error:
        raise InputError(folder, None, None, error.strerror or str(error)) from None
