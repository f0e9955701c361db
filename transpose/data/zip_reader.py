"""Read zip archives: checks of their members, and images without unpacking.

Reading from the archive helps on file systems that are slow with many small files.
"""

import os
import stat
import struct
import weakref
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from transpose.errors import InputError

BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, RuntimeError, ValueError)
"""Exceptions that the standard library raises for damaged archives."""

_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, and the lengths of the name and the extra field that follow the header."""


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
        raise InputError("no such archive", file=path) from None
    except BROKEN as error:
        raise InputError(f"not a complete zip archive: {error}", file=path) from None
    except OSError as error:
        raise InputError(str(error), file=path) from None


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
            raise InputError(problem, file=path, record=repr(member.orig_filename))
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


class ZipFolder:
    """A folder inside a zip archive: `folder / name` has a `read_bytes` method like a path.

    It can be pickled, and used from threads and forked processes: each read has a position of its own.
    """

    def __init__(self, archive: Path, folder: str = "") -> None:
        """Read the archive's directory.

        Args:
            folder: path inside the archive, for example `val2017`; the root by default.

        Raises:
            InputError: the archive is damaged or has no such folder.
        """
        self.archive = archive
        self.folder = folder.strip("/")
        prefix = f"{self.folder}/" if self.folder else ""
        with open_zip(archive) as packed:
            self._entries = {
                member.filename.removeprefix(prefix): _Entry.of_member(member)
                for member in checked_members(packed, archive)
                if member.filename.startswith(prefix) and not member.is_dir()
            }
        if not self._entries:
            raise InputError("the archive has no files in this folder", file=archive, record=repr(self.folder))

    def __truediv__(self, name: str, /) -> "ZipImage":
        """Return the file with that name, which need not exist."""
        return ZipImage(self, name)

    @property
    def names(self) -> set[str]:
        """Names of the files relative to this folder, including those in subfolders."""
        return set(self._entries)

    def __str__(self) -> str:
        return f"{self.archive}/{self.folder}" if self.folder else str(self.archive)

    def read(self, name: str) -> bytes:
        """Read a file and verify its checksum.

        Raises:
            FileNotFoundError: there is no such file.
            InputError: the archive is damaged or has changed since its directory was read.
        """
        if name not in self._entries:
            raise FileNotFoundError(f"{self}/{name}")
        entry, (file, size) = self._entries[name], self._open_archive
        # A damaged directory may have offsets outside the archive and sizes larger than memory.
        if not 0 <= entry.header <= size - entry.packed_size:
            raise InputError("is not where the archive's directory says", file=self.archive, record=name)
        header = os.pread(file, _LOCAL_HEADER.size, entry.header)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\3\4"):
            raise InputError("is not where the archive's directory says", file=self.archive, record=name)
        _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        start = entry.header + _LOCAL_HEADER.size + name_length + extra_length
        data = os.pread(file, entry.packed_size, start)
        if entry.deflated:
            data = self._inflate(data, name, entry.size)
        if len(data) != entry.size or zlib.crc32(data) != entry.crc:
            raise InputError("is damaged: wrong size or checksum", file=self.archive, record=name)
        return data

    @cached_property
    def _open_archive(self) -> tuple[int, int]:
        """Descriptor and size of the archive, opened once: on a shared disk, opening costs more than reading."""
        file = os.open(self.archive, os.O_RDONLY)
        weakref.finalize(self, os.close, file)
        return file, os.fstat(file).st_size

    def __getstate__(self) -> dict[str, object]:
        """Leave out the open file, which another process does not have."""
        return {name: value for name, value in vars(self).items() if name != "_open_archive"}

    def _inflate(self, data: bytes, name: str, size: int) -> bytes:
        try:
            # Limit the output to the listed size, against zip bombs; a limit of 0 would mean unlimited.
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, max(size, 1))
        except zlib.error as error:
            raise InputError(f"cannot be unpacked: {error}", file=self.archive, record=name) from None


class ZipImage:
    """A file in a `ZipFolder`."""

    def __init__(self, folder: ZipFolder, name: str) -> None:
        self.folder = folder
        self.name = name

    def __str__(self) -> str:
        return f"{self.folder}/{self.name}"

    def read_bytes(self) -> bytes:
        """See `ZipFolder.read`."""
        return self.folder.read(self.name)


class _Entry(NamedTuple):
    """Offset, sizes and checksum of a file in the archive."""

    header: int
    packed_size: int
    size: int
    crc: int
    deflated: bool

    @classmethod
    def of_member(cls, member: zipfile.ZipInfo) -> "_Entry":
        deflated = member.compress_type == zipfile.ZIP_DEFLATED
        return cls(member.header_offset, member.compress_size, member.file_size, member.CRC, deflated)
