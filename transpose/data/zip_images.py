"""Read images directly from a zip archive, for file systems that are slow with many small files."""

import os
import struct
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

from transpose.data.zip_members import checked_members, open_zip
from transpose.errors import InputError

_LOCAL_HEADER = struct.Struct("<4s22xHH")
"""Signature, and the lengths of the name and the extra field that follow the header."""


class ZipFolder:
    """A folder inside a zip archive: `folder / name` has a `read_bytes` method like a path.

    It keeps no file open, so it can be pickled and used from threads and forked processes.
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
            raise InputError(archive, repr(self.folder), None, "the archive has no files in this folder")

    def __truediv__(self, name: str, /) -> "ZipImage":
        """Return the file with that name, which need not exist."""
        return ZipImage(self, name)

    def __len__(self) -> int:
        """Number of files, including those in subfolders."""
        return len(self._entries)

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
        entry = self._entries[name]
        with self.archive.open("rb") as stream:
            # A damaged directory may have offsets outside the archive and sizes larger than memory.
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
            raise InputError(self.archive, name, None, "is damaged: wrong size or checksum")
        return data

    def _inflate(self, data: bytes, name: str, size: int) -> bytes:
        try:
            # Limit the output to the listed size, against zip bombs; a limit of 0 would mean unlimited.
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
