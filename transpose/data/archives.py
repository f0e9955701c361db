"""Unpack zip archives atomically, with a manifest, and extract the splits of data sets from them."""

import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from transpose.config.dataset import ArchivedSplit
from transpose.data.digests import remembered_sha256
from transpose.data.fields import as_texts, column, read_records
from transpose.data.image_source import point_to_folder, point_to_zip
from transpose.data.zip_reader import BROKEN, ZipFolder, checked_members, open_zip
from transpose.disk import require_space, write_problem
from transpose.errors import InputError
from transpose.files import atomic_path, folder_lock, read_json, write_json

COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """The archive that a folder was unpacked from, and the folder's contents."""

    archive: str
    sha256: str
    """SHA-256 of the archive."""
    files: int
    bytes: int
    """Total size of the files."""


def manifest_path(folder: Path) -> Path:
    """Return the path of an unpacked folder's manifest, which is written after the folder is complete."""
    return folder.with_name(f"{folder.name}.manifest.json")


def unpack(archive: Path, folder: Path) -> Manifest:
    """Unpack an archive to `folder` and write its manifest; a folder that is already unpacked is left as it is.

    Raises:
        InputError: the archive is damaged or truncated, a member is unsafe (`zip_reader.checked_members`), the disk is
            too small, or another process unpacks to the same folder. `folder` is then unchanged.
    """
    with open_zip(archive) as packed:
        members = checked_members(packed, archive)
        files = [member for member in members if not member.is_dir()]
        expected = Manifest(
            archive.name, remembered_sha256(archive), len(files), sum(member.file_size for member in files)
        )
        if _is_unpacked(folder, expected):
            return expected
        folder.parent.mkdir(parents=True, exist_ok=True)
        require_space(folder, expected.bytes)
        with _staging(folder) as content:
            for member in members:
                if member.is_dir():
                    (content / member.filename).mkdir(parents=True, exist_ok=True)
            for member in tqdm(files, f"unpack {archive.name}", unit="file", mininterval=1.0):
                _write_member(packed, member, archive, content / member.filename)
            manifest_path(folder).unlink(missing_ok=True)
            if folder.exists():
                shutil.rmtree(folder)
            content.replace(folder)
    write_json(manifest_path(folder), asdict(expected))
    return expected


def _is_unpacked(folder: Path, expected: Manifest) -> bool:
    record = manifest_path(folder)
    return folder.is_dir() and record.is_file() and read_json(record) == asdict(expected)


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """Yield an empty folder next to `folder`, locked for this process; leftovers of a killed process are removed."""
    staging = folder.with_name(f"{folder.name}.partial")
    content = staging / "content"
    with folder_lock(staging):
        try:
            shutil.rmtree(content, ignore_errors=True)
            content.mkdir()
            yield content
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _write_member(packed: zipfile.ZipFile, member: zipfile.ZipInfo, archive: Path, path: Path) -> None:
    """Write one file in chunks and verify its checksum.

    Raises:
        InputError: the file is damaged, is shorter than the archive's directory says, or cannot be written.
    """
    name = repr(member.filename)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Mode "x", because two names that differ in case are one file on a case-insensitive disk.
        with packed.open(member) as source, path.open("xb") as target:
            shutil.copyfileobj(source, target, COPY_BYTES)
        count = path.stat().st_size
    except BROKEN as error:
        raise InputError(f"damaged: {error}", file=archive, record=name) from None
    except OSError as error:
        raise InputError(f"cannot be written: {write_problem(error)}", file=archive, record=name) from None
    if count != member.file_size:
        raise InputError(f"has {count} bytes, but the archive lists {member.file_size}", file=archive, record=name)


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
        raise InputError(problem, file=archive if folder is None else folder)
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
            raise InputError(f"no such member; it has {files}", file=archive, record=name)
        try:
            return packed.read(name)
        except (zipfile.BadZipFile, EOFError) as error:
            raise InputError(f"damaged: {error}", file=archive, record=name) from None


def _as_object(data: bytes, place: Path) -> dict[str, Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}", file=place) from None
    if not isinstance(content, dict):
        raise InputError("must be an object with images", file=place)
    return content


def _with_no_annotations(content: dict[str, Any]) -> bytes:
    return json.dumps(content | {"annotations": []}).encode()


def _names_in(folder: Path) -> set[str]:
    try:
        return {entry.name for entry in os.scandir(folder)}
    except OSError as error:
        raise InputError(error.strerror or str(error), file=folder) from None
