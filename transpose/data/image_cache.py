"""Caches of decoded images: in memory for the processes of a training, and on disk for all trainings."""

import fcntl
import hashlib
import json
import os
import sys
import weakref
import zlib
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from transpose.data.coco import ImageTable
from transpose.data.images import WHOLE, ImageFiles, ImageSource
from transpose.data.shared_memory import SharedBytes

CACHE_FOLDER = "decoded"
"""Folder of the cache, next to the annotation file; it can be deleted at any time."""

_FORMAT = 1
_SEAL_BYTES = 16


class ImageCache:
    """The images of an annotation file; the first ones are cached in memory.

    The memory is shared with the processes that load; pages without an image take no memory.
    """

    def __init__(self, source: ImageSource, images: ImageTable, cache_bytes: int) -> None:
        """Read from `source`; cache as many of the table's first images as fit into `cache_bytes`."""
        self.source = source
        self.images = images
        self._ends = np.cumsum(images.image_bytes)
        self._cached = int(np.searchsorted(self._ends, cache_bytes, side="right"))
        self._pixels = SharedBytes(int(self._ends[self._cached - 1]) if self._cached else 0)
        self._decoded = SharedBytes(self._cached)

    def read(self, position: int, rows: slice = WHOLE) -> np.ndarray:
        """See `ImageSource.read`; all rows of a cached image are valid."""
        if position >= self._cached:
            return self.source.read(position, rows)
        height, width = self.images.sizes_hw[position]
        end = self._ends[position]
        pixels = self._pixels.array[end - int(height) * int(width) * 3 : end].reshape(height, width, 3)
        if not self._decoded.array[position]:
            pixels[:] = self.source.read(position)
            self._decoded.array[position] = 1
        return pixels


class DiskImageCache:
    """The images of an annotation file; the first ones are cached, decoded, in a file that grows as they are read.

    Cached pixels are equal to the decoder's. The file has a seal for each image of the table, followed by the pixels,
    at offsets that depend only on the table, so processes and trainings share it without a lock. A seal is a digest of
    the image file and its pixels, written after the pixels. Each training verifies an image's seal on first use: a
    changed image, a killed writer or a crash cannot leave wrong pixels in use. Entries are never removed.

    The file is not memory-mapped, because a full disk or a truncated file would then raise a fatal signal. When the
    disk is full, caching stops.
    """

    def __init__(self, files: ImageFiles, folder: Path, max_bytes: int) -> None:
        """Open the cache file in `folder`, which is created; on failure, print a warning and do not cache.

        Args:
            max_bytes: size limit of the pixels and seals; the table's first images are cached.
        """
        self.files = files
        self._folder = folder
        sizes = files.images.image_bytes
        self._starts = len(sizes) * _SEAL_BYTES + np.cumsum(sizes) - sizes
        self._kept = int(np.searchsorted(self._starts + sizes, max_bytes, side="right"))
        self._verified, self._closed = SharedBytes(self._kept), SharedBytes(1)
        self._open()

    def read(self, position: int, rows: slice = WHOLE) -> np.ndarray:
        """See `ImageSource.read`."""
        if self._handle is None or position >= self._kept:
            return self.files.read(position)
        if self._verified.array[position] and (pixels := self._load(self._handle, position, rows)) is not None:
            return pixels
        return self._read_sealed(self._handle, position)

    def _read_sealed(self, handle: int, position: int) -> np.ndarray:
        """Read an image from the cache if its seal is valid, or else decode its file and cache it."""
        data = self.files.read_bytes(position)
        if (pixels := self._load_sealed(handle, position, data)) is not None:
            self._verified.array[position] = 1
            return pixels
        pixels = self.files.decode(position, data)
        if not self._closed.array[0]:
            self._keep(handle, position, pixels, _seal(data, pixels))
        return pixels

    def _keep(self, handle: int, position: int, pixels: np.ndarray, seal: bytes) -> None:
        try:
            _write(handle, pixels.reshape(-1).data, int(self._starts[position]))
            _write(handle, memoryview(seal), position * _SEAL_BYTES)
        except OSError as error:
            if not self._closed.array[0]:
                self._closed.array[0] = 1
                _warn(f"{self._folder}: stopped caching decoded images: {error.strerror}")
        else:
            self._verified.array[position] = 1

    def _load_sealed(self, handle: int, position: int, data: bytes) -> np.ndarray | None:
        seal = bytearray(_SEAL_BYTES)
        if not _fill(memoryview(seal), handle, position * _SEAL_BYTES) or not any(seal):
            return None
        pixels = self._load(handle, position, WHOLE)
        return pixels if pixels is not None and _seal(data, pixels) == seal else None

    def _load(self, handle: int, position: int, rows: slice) -> np.ndarray | None:
        """Return pixels [H, W, 3] with `rows` read; None if the file does not contain them."""
        height, width = self.files.images.sizes_hw[position].tolist()
        # Pages of rows that are not read are never touched, so they take no memory.
        pixels = np.empty((height, width, 3), dtype=np.uint8)
        start, stop, _ = rows.indices(height)
        wanted = pixels[start:stop].reshape(-1).data
        return pixels if _fill(wanted, handle, int(self._starts[position]) + start * width * 3) else None

    def _open(self) -> None:
        self._handle = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{_layout(self.files)}.pixels"
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            weakref.finalize(self, os.close, handle)
            # Locked while this process or a fork of it lives, so that `_remove_unused` keeps the file.
            fcntl.flock(handle, fcntl.LOCK_SH)
            _remove_unused(self._folder, path)
        except OSError as error:
            _warn(f"{self._folder}: decoded images are not cached: {error.strerror}")
        else:
            self._handle = handle

    def __getstate__(self) -> dict[str, object]:
        """Exclude the open file: a process that was not forked opens its own."""
        return {key: value for key, value in vars(self).items() if key != "_handle"}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Open the file again."""
        vars(self).update(state)
        self._open()


def _layout(files: ImageFiles) -> str:
    """Return the name of the cache file: a hash of the image table and the decoder's version."""
    images = files.images
    content = [_FORMAT, cv2.__version__, images.file_names, images.sizes_hw.tolist()]
    if images.as_displayed is not None:
        content.append(images.as_displayed.tolist())
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _seal(data: bytes, pixels: np.ndarray) -> bytes:
    return hashlib.sha256(data + zlib.crc32(pixels.data).to_bytes(4)).digest()[:_SEAL_BYTES]


def _fill(content: memoryview, handle: int, start: int) -> bool:
    """Fill `content` from the file; False if the file is too short or cannot be read."""
    try:
        return os.preadv(handle, [content], start) == len(content)
    except OSError:
        return False


def _write(handle: int, content: memoryview, start: int) -> None:
    """Write all of `content`; a single call may write only a part when the disk is nearly full."""
    while content:
        written = os.pwrite(handle, content, start)
        content, start = content[written:], start + written


def _remove_unused(folder: Path, kept: Path) -> None:
    """Remove cache files of other tables or decoder versions, unless a running process uses them."""
    for path in folder.glob("*.pixels"):
        # Another process has removed it, or uses it.
        with suppress(FileNotFoundError, BlockingIOError):
            if path != kept:
                with path.open("rb") as stream:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()


def _warn(line: str) -> None:
    # Directly to stderr, because this may run in a loader's worker. The log may be on the full disk.
    with suppress(OSError):
        sys.stderr.write(f"transpose: {line}\n")
        sys.stderr.flush()
