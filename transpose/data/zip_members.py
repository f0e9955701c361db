"""What a zip archive from elsewhere says that it holds, believed only after a check."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transpose.errors import InputError

BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""What the standard library raises for damaged archives, depending on where the damage is."""

_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive for reading.

    Raises:
        InputError: the file is missing, no zip archive, cut short or damaged - now or while the block reads from it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except FileNotFoundError:
        raise InputError(path, None, None, "no such archive") from None
    except BROKEN as error:
        raise InputError(path, None, None, f"not a whole zip archive: {error}") from None
    except OSError as error:
        raise InputError(path, None, None, str(error)) from None


def checked_members(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    """All members of an archive, folders included, none of which could be written outside its folder.

    Raises:
        InputError: a member has an unsafe or repeated name, is neither file nor folder, or is encrypted or packed in
            an unusual way.
    """
    members = archive.infolist()
    seen: set[str] = set()
    for member in members:
        problem = "occurs twice" if member.filename in seen else _problem(member)
        if problem:
            raise InputError(path, repr(member.orig_filename), None, problem)
        seen.add(member.filename)
    return members


def _problem(member: zipfile.ZipInfo) -> str | None:
    # The name as it stands in the archive: Python's own clean-up of names would hide an attempt.
    name = member.orig_filename
    if not name.isprintable() or "\\" in name or ":" in name:
        return "has characters in its name that no member's name may have"
    if any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")):
        return "has a name that is not a plain path below the archive's folder"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if member.is_dir() else stat.S_IFREG):
        return "is neither a file nor a folder"
    if member.flag_bits & 0x1:
        return "is encrypted"
    if member.compress_type not in _READABLE:
        return "is packed by another method than deflation"
    return None
