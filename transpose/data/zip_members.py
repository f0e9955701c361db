"""Safety checks of the members of a zip archive."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from transpose.errors import InputError

BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""Exceptions that the standard library raises for damaged archives."""

_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@contextmanager
def open_zip(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip archive for reading.

    Raises:
        InputError: the file is missing, not a zip archive, truncated or damaged, also while the block reads from it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except FileNotFoundError:
        raise InputError(path, None, None, "no such archive") from None
    except BROKEN as error:
        raise InputError(path, None, None, f"not a complete zip archive: {error}") from None
    except OSError as error:
        raise InputError(path, None, None, str(error)) from None


def checked_members(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    """Return all members of an archive, including folders, after checking that none extracts outside its folder.

    Raises:
        InputError: a member has an unsafe or repeated name, is neither a file nor a folder, is encrypted, or uses an
            unsupported compression method.
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
    # The name as stored in the archive; Python's normalised name could hide an attack.
    name = member.orig_filename
    if not name.isprintable() or "\\" in name or ":" in name:
        return "has unsafe characters in its name"
    if any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")):
        return "has a name that is not a plain relative path"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if member.is_dir() else stat.S_IFREG):
        return "is neither a file nor a folder"
    if member.flag_bits & 0x1:
        return "is encrypted"
    if member.compress_type not in _READABLE:
        return "uses an unsupported compression method"
    return None
