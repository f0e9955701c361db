"""Unpack zip archives atomically, with a manifest of the contents."""

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
        InputError: the archive is damaged or truncated, a member is unsafe (`zip_members.checked_members`), the disk is
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
        raise InputError(archive, name, None, f"damaged: {error}") from None
    except OSError as error:
        raise InputError(archive, name, None, f"cannot be written: {write_problem(error)}") from None
    if count != member.file_size:
        raise InputError(archive, name, None, f"has {count} bytes, but the archive lists {member.file_size}")
