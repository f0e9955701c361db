"""A zip archive becomes a folder, whole or not at all, with a manifest that says what it got."""

import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from transpose.data.digests import remembered_sha256
from transpose.data.space import require_space
from transpose.data.zip_members import BROKEN, checked_members, open_zip
from transpose.disk import write_problem
from transpose.errors import InputError
from transpose.files import folder_lock, read_json, write_json

COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """What a folder was unpacked from and what it got."""

    archive: str
    sha256: str
    """Of the archive."""
    files: int
    bytes: int
    """Of the files together."""


def manifest_path(folder: Path) -> Path:
    """Where the manifest of an unpacked folder is; it appears after the folder is complete."""
    return folder.with_name(f"{folder.name}.manifest.json")


def unpack(archive: Path, folder: Path) -> Manifest:
    """Make `folder` what the archive holds, and write its manifest; one that is unpacked already stays as it is.

    Raises:
        InputError: the archive is damaged or cut short, a member is unsafe (`zip_members.checked_members`), the disk is
            too small, or another process unpacks to the same folder. `folder` is then what it was before.
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
    """Yield an empty folder beside `folder`, for this process alone; what a killed process left in it is removed."""
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
    """Write one file, piece by piece; the archive's checksum of it is verified on the way.

    Raises:
        InputError: the file is damaged, comes out shorter than announced, or cannot be written under its name.
    """
    name = repr(member.filename)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # "x": two members whose names differ are one file on a disk that ignores case.
        with packed.open(member) as source, path.open("xb") as target:
            shutil.copyfileobj(source, target, COPY_BYTES)
            count = target.tell()
    except BROKEN as error:
        raise InputError(archive, name, None, f"damaged: {error}") from None
    except OSError as error:
        raise InputError(archive, name, None, f"cannot be written: {write_problem(error)}") from None
    if count != member.file_size:
        raise InputError(archive, name, None, f"has {count} bytes, not {member.file_size} as announced")
