"""Images read straight from a zip archive, for file systems that do not like many small files."""

import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

from transpose.data.zip_members import checked_members, open_zip
from transpose.errors import InputError

_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, and the lengths of the name and of the extra field that follow the header."""


class ZipFolder:
    """A folder inside a zip archive: `folder / name` has the `read_bytes` of an unpacked file's path.

    It holds no open file, so it can be used from forked processes and threads at once, and be pickled.
    """

    def __init__(self, archive: Path, folder: str = "") -> None:
        """Read the archive's directory.

        Args:
            folder: path inside the archive, for example `val2017`; its root by default.

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
            raise InputError(archive, repr(self.folder), None, "the archive has no files in this folder")

    def __truediv__(self, name: str, /) -> "ZipImage":
        """The file of that name, whether or not there is one."""
        return ZipImage(self, name)

    def __len__(self) -> int:
        """Number of files, those of its folders included."""
        return len(self._entries)

    @property
    def names(self) -> set[str]:
        """Names of the files, those of its folders included, relative to this one."""
        return set(self._entries)

    def __str__(self) -> str:
        return f"{self.archive}/{self.folder}" if self.folder else str(self.archive)

    def read(self, name: str) -> bytes:
        """The bytes of a file, proven by the archive's checksum.

        Raises:
            FileNotFoundError: there is no such file.
            InputError: the archive is damaged there, or is another one than it was.
        """
        if name not in self._entries:
            raise FileNotFoundError(f"{self}/{name}")
        entry = self._entries[name]
        with self.archive.open("rb") as stream:
            # A damaged directory may name places before or after the file, and sizes beyond all memory.
            if not 0 <= entry.header <= stream.seek(0, os.SEEK_END) - entry.packed_size:
                raise InputError(self.archive, name, None, "is not where the archive's directory says")
            stream.seek(entry.header)
            header = stream.read(_LOCAL_HEADER.size)
            if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\3\4"):
                raise InputError(self.archive, name, None, "is not where the archive's directory says")
            _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
            stream.seek(name_length + extra_length, os.SEEK_CUR)
            data = stream.read(entry.packed_size)
        if entry.deflated:
            data = self._inflate(data, name, entry.size)
        if len(data) != entry.size or zlib.crc32(data) != entry.crc:
            raise InputError(self.archive, name, None, "has other bytes than were packed")
        return data

    def _inflate(self, data: bytes, name: str, size: int) -> bytes:
        try:
            # Never more than announced (a limit of 0 would be none), however much is packed in there.
            return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, max(size, 1))
        except zlib.error as error:
            raise InputError(self.archive, name, None, f"cannot be unpacked: {error}") from None


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
    """Where a file's bytes are in the archive, and what proves them."""

    header: int
    packed_size: int
    size: int
    crc: int
    deflated: bool

    @classmethod
    def of_member(cls, member: zipfile.ZipInfo) -> "_Entry":
        deflated = member.compress_type == zipfile.ZIP_DEFLATED
        return cls(member.header_offset, member.compress_size, member.file_size, member.CRC, deflated)
