"""Images from files, and kept in memory."""

import mmap
import struct
from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from transpose.data.coco import ImageTable
from transpose.data.image_size import PNG_SIGNATURE, announced_size
from transpose.errors import InputError

_UPRIGHT = cv2.IMREAD_COLOR_RGB
_AS_STORED = _UPRIGHT | cv2.IMREAD_IGNORE_ORIENTATION


WHOLE = slice(None)
"""All rows of an image."""


class ImageFile(Protocol):
    """A path, or what stands for one; its text names it in messages."""

    def read_bytes(self) -> bytes:
        """All bytes of the file; FileNotFoundError if there is none."""
        ...


class ImageFolder(Protocol):
    """The path of a folder, or what stands for one, such as `zip_images.ZipFolder`."""

    def __truediv__(self, name: str, /) -> ImageFile:
        """The file of that name."""
        ...


class ImageSource(Protocol):
    """The images of an annotation file, wherever their pixels come from."""

    def read(self, position: int, rows: slice = WHOLE) -> np.ndarray:
        """[H, W, 3] uint8 RGB of the image at a position of the table; not to be written to.

        Args:
            position: in the table of images.
            rows: those that are needed, from a start to a stop; the others hold anything.

        Raises:
            InputError: the file is missing or broken, or has another size than its annotation says.
        """
        ...


def read_image(path: ImageFile) -> np.ndarray:
    """Decode an image; its EXIF orientation is ignored, as the official evaluation does.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        InputError: the file is missing, empty, cut short or no image.
    """
    return decode_image(read_image_bytes(path), path)


def read_upright_image(path: ImageFile) -> np.ndarray:
    """Decode an image as it is displayed: its EXIF orientation is applied.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        InputError: as `read_image`.
    """
    return _decode(read_image_bytes(path), path, _UPRIGHT)


def read_image_bytes(path: ImageFile) -> bytes:
    """All bytes of an image's file.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(path, None, None, "no such image") from None
    except OSError as error:
        raise InputError(path, None, None, f"cannot be read: {error}") from None


def decode_image(data: bytes, path: ImageFile) -> np.ndarray:
    """Decode the bytes of an image's file; see `read_image`.

    Args:
        path: of the file, for messages.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        InputError: they are none, cut short or no image's.
    """
    return _decode(data, path, _AS_STORED)


def _decode(data: bytes, path: ImageFile, flags: int) -> np.ndarray:
    if not data:
        raise InputError(path, None, None, "the image is empty")
    if _is_cut_short(data):
        raise InputError(path, None, None, "the image is cut short: its end is missing")
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:  # more than 2^30 pixels, or than there is memory for
        raise InputError(path, None, None, f"cannot be decoded: {error.err}") from None
    if image is None:
        raise InputError(path, None, None, "not an image that can be decoded")
    return image


def _is_cut_short(data: bytes) -> bool:
    """A JPEG or PNG that the decoder would not refuse at once; it refuses other cut formats itself."""
    return _is_cut_jpeg(data) or _is_cut_png(data)


def _is_cut_jpeg(data: bytes) -> bool:
    """A JPEG without its end marker, which the decoder would fill with grey."""
    # Neither marker can occur within scan data, and a thumbnail's lie before the image's own start of scan. Searched
    # from the end, since all but the last bytes of a whole file are scan data.
    return data.startswith(b"\xff\xd8") and data.find(b"\xff\xda", max(data.rfind(b"\xff\xd9"), 0)) >= 0


def _is_cut_png(data: bytes) -> bool:
    """A PNG with a chunk longer than what is left of it: the decoder would make room for that first, up to 4 GB."""
    if not data.startswith(PNG_SIGNATURE):
        return False
    place = len(PNG_SIGNATURE)
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        place += 12 + length
        if kind == b"IEND":
            break
    return place > len(data)


class ImageFiles:
    """The images of an annotation file, decoded whenever they are read."""

    def __init__(self, folder: ImageFolder, images: ImageTable) -> None:
        self.folder = folder
        self.images = images
        # Reading a string of a list writes its count of references: each loading process would copy their memory.
        self._names = np.array(images.file_names, dtype=np.str_)

    def read(self, position: int, rows: slice = WHOLE) -> np.ndarray:
        """See `ImageSource.read`; all rows hold the image."""
        return self.decode(position, self.read_bytes(position))

    def read_bytes(self, position: int) -> bytes:
        """The bytes of the file at a position of the table.

        Raises:
            InputError: it is missing or cannot be read.
        """
        return read_image_bytes(self._path(position))

    def decode(self, position: int, data: bytes) -> np.ndarray:
        """[H, W, 3] uint8 RGB from the bytes of the file at a position of the table.

        Raises:
            InputError: they are broken, or the image has another size than its annotation says.
        """
        path = self._path(position)
        self._check_announcement(data, position)
        image = decode_image(data, path)
        if image.shape[:2] != self._annotated_size(position):
            raise self._wrong_size(image.shape[:2], position)
        return image

    def _check_announcement(self, data: bytes, position: int) -> None:
        """A small file can announce billions of pixels, which must not be decoded to be refused."""
        try:
            size = announced_size(data)
        except ValueError as error:
            raise InputError(self._path(position), None, None, str(error)) from None
        if size is not None and sorted(size) != sorted(self._annotated_size(position)):
            raise self._wrong_size(size, position)

    def _annotated_size(self, position: int) -> tuple[int, int]:
        """(height, width)."""
        height, width = self.images.sizes_hw[position].tolist()
        return height, width

    def _wrong_size(self, size_hw: Sequence[int], position: int) -> InputError:
        height, width = self._annotated_size(position)
        problem = f"is {size_hw[1]}x{size_hw[0]} pixels large, but annotated as {width}x{height}"
        return InputError(self._path(position), None, None, problem)

    def _path(self, position: int) -> ImageFile:
        return self.folder / str(self._names[position])


class ImageCache:
    """The images of an annotation file, the first ones kept in memory.

    The memory is shared with processes that are forked later, whichever of them decodes an image first; pages that
    nobody has written take none.
    """

    def __init__(self, source: ImageSource, images: ImageTable, cache_bytes: int) -> None:
        """Read from `source`; keep as many of the table's first images as fit into `cache_bytes`."""
        self.source = source
        self.images = images
        self._ends = np.cumsum(images.image_bytes)
        self._cached = int(np.searchsorted(self._ends, cache_bytes, side="right"))
        self._allocate()

    def read(self, position: int, rows: slice = WHOLE) -> np.ndarray:
        """See `ImageSource.read`; of what is kept, all rows hold the image."""
        if position >= self._cached:
            return self.source.read(position, rows)
        height, width = self.images.sizes_hw[position]
        end = self._ends[position]
        pixels = self._pixels[end - int(height) * int(width) * 3 : end].reshape(height, width, 3)
        if not self._decoded[position]:
            pixels[:] = self.source.read(position)
            self._decoded[position] = 1
        return pixels

    def _allocate(self) -> None:
        size = int(self._ends[self._cached - 1]) if self._cached else 0
        memory = np.frombuffer(mmap.mmap(-1, size + self._cached + 1), dtype=np.uint8)
        self._pixels, self._decoded = memory[:size], memory[size:]

    def __getstate__(self) -> dict[str, object]:
        """Without the memory: a process that was not forked has its own."""
        return {key: value for key, value in vars(self).items() if key not in ("_pixels", "_decoded")}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Restore with nothing decoded."""
        vars(self).update(state)
        self._allocate()
