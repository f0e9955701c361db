"""Decoded images on disk, so that later epochs, and later trainings, need not decode them again."""

import fcntl
import hashlib
import json
import mmap
import os
import sys
import weakref
import zlib
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from transpose.data.images import WHOLE, ImageFiles

CACHE_FOLDER = "decoded"
"""Beside the annotation file whose images it holds; it may be deleted at any time."""

_FORMAT = 1
_SEAL_BYTES = 16


class DiskImageCache:
    """The images of an annotation file, the first ones kept decoded in a file: whoever decodes one first adds it.

    Its pixels are the decoder's, so that no crop of any augmentation differs. The file holds a seal for each image
    of the table, then the pixels, all at places that the table alone decides: processes and trainings share it without
    a lock. A seal is a digest of the image's file and of the pixels made of it, and is written after them. Once in
    a training each image has to prove it, so that neither a changed image, nor a writer that was killed, nor a
    machine that crashed can leave pixels that are taken. Nothing is ever taken out.

    Pixels are read and written by calls, not through mapped memory, where a full disk or a cut file would be fatal
    signals; when the disk is full, the file grows no more.
    """

    def __init__(self, files: ImageFiles, folder: Path, max_bytes: int) -> None:
        """Open the file in `folder`, which is made if need be; a line on stderr says why not, if it cannot be.

        Args:
            max_bytes: as many of the table's first images are kept as fit into it.
        """
        self.files = files
        self._folder = folder
        sizes = files.images.image_bytes
        self._starts = len(sizes) * _SEAL_BYTES + np.cumsum(sizes) - sizes
        self._kept = int(np.searchsorted(self._starts + sizes, max_bytes, side="right"))
        self._open()

    def read(self, position: int, rows: slice = WHOLE) -> np.ndarray:
        """See `ImageSource.read`."""
        if self._handle is None or position >= self._kept:
            return self.files.read(position)
        if self._proven[position] and (pixels := self._load(self._handle, position, rows)) is not None:
            return pixels
        return self._read_sealed(self._handle, position)

    def _read_sealed(self, handle: int, position: int) -> np.ndarray:
        """An image from the cache if its seal holds, or else from its file, whereupon it is kept."""
        data = self.files.read_bytes(position)
        if (pixels := self._load_sealed(handle, position, data)) is not None:
            self._proven[position] = 1
            return pixels
        pixels = self.files.decode(position, data)
        if not self._closed[0]:
            self._keep(handle, position, pixels, _seal(data, pixels))
        return pixels

    def _keep(self, handle: int, position: int, pixels: np.ndarray, seal: bytes) -> None:
        try:
            _write(handle, pixels.reshape(-1).data, int(self._starts[position]))
            _write(handle, memoryview(seal), position * _SEAL_BYTES)
        except OSError as error:
            if not self._closed[0]:
                self._closed[0] = 1
                _tell(f"{self._folder}: no more decoded images are kept: {error.strerror}")
        else:
            self._proven[position] = 1

    def _load_sealed(self, handle: int, position: int, data: bytes) -> np.ndarray | None:
        seal = bytearray(_SEAL_BYTES)
        if not _fill(memoryview(seal), handle, position * _SEAL_BYTES) or not any(seal):
            return None
        pixels = self._load(handle, position, WHOLE)
        return pixels if pixels is not None and _seal(data, pixels) == seal else None

    def _load(self, handle: int, position: int, rows: slice) -> np.ndarray | None:
        """[H, W, 3] of which `rows` are read; None where the file does not hold them."""
        height, width = self.files.images.sizes_hw[position].tolist()
        # Rows that are not read take no memory either.
        pixels = np.empty((height, width, 3), dtype=np.uint8)
        start, stop, _ = rows.indices(height)
        wanted = pixels[start:stop].reshape(-1).data
        return pixels if _fill(wanted, handle, int(self._starts[position]) + start * width * 3) else None

    def _open(self) -> None:
        # What one process finds out holds for all that are forked later.
        shared = np.frombuffer(mmap.mmap(-1, self._kept + 1), dtype=np.uint8)
        self._proven, self._closed = shared[: self._kept], shared[self._kept :]
        self._handle = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"{_layout(self.files)}.pixels"
            handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            weakref.finalize(self, os.close, handle)
            # Held as long as this process or one forked from it lives, so that `_remove_unused` spares the file.
            fcntl.flock(handle, fcntl.LOCK_SH)
            _remove_unused(self._folder, path)
        except OSError as error:
            _tell(f"{self._folder}: no decoded images are kept: {error.strerror}")
        else:
            self._handle = handle

    def __getstate__(self) -> dict[str, object]:
        """Without the open file: a process that was not forked opens it itself."""
        return {key: value for key, value in vars(self).items() if key not in ("_proven", "_closed", "_handle")}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Restore with nothing proven."""
        vars(self).update(state)
        self._open()


def _layout(files: ImageFiles) -> str:
    """Name of the file: which images lie where in it, and who decodes them."""
    images = files.images
    content = [_FORMAT, cv2.__version__, images.file_names, images.sizes_hw.tolist()]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _seal(data: bytes, pixels: np.ndarray) -> bytes:
    return hashlib.sha256(data + zlib.crc32(pixels.data).to_bytes(4)).digest()[:_SEAL_BYTES]


def _fill(content: memoryview, handle: int, start: int) -> bool:
    """Read all of it, or say that the file does not hold it."""
    try:
        return os.preadv(handle, [content], start) == len(content)
    except OSError:
        return False


def _write(handle: int, content: memoryview, start: int) -> None:
    """Write all of it: the last call before a disk is full may take a part."""
    while content:
        written = os.pwrite(handle, content, start)
        content, start = content[written:], start + written


def _remove_unused(folder: Path, kept: Path) -> None:
    """Remove what was kept of other tables or by another decoder, unless a living process uses it."""
    for path in folder.glob("*.pixels"):
        # Another process removes it, or uses it.
        with suppress(FileNotFoundError, BlockingIOError):
            if path != kept:
                with path.open("rb") as stream:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    path.unlink()


def _tell(line: str) -> None:
    # From whatever process it is: a loader's worker has no other way. The log may lie on the very disk that is full.
    with suppress(OSError):
        sys.stderr.write(f"transpose: {line}\n")
        sys.stderr.flush()
