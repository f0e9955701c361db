"""Pictures from files, and kept in memory."""

import mmap
import struct
from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np

from transpose.data.coco import ImageTable
from transpose.data.picture_size import PNG_SIGNATURE, announced_size
from transpose.errors import InputError

_UPRIGHT = cv2.IMREAD_COLOR_RGB
_AS_STORED = _UPRIGHT | cv2.IMREAD_IGNORE_ORIENTATION


WHOLE = slice(None)
"""All rows of a picture."""


class PictureFile(Protocol):
    """A path, or what stands for one; its text names it in messages."""

    def read_bytes(self) -> bytes:
        """All bytes of the file; FileNotFoundError if there is none."""
        ...


class PictureFolder(Protocol):
    """The path of a folder, or what stands for one, such as `zip_pictures.ZipFolder`."""

    def __truediv__(self, name: str, /) -> PictureFile:
        """The file of that name."""
        ...


class Pictures(Protocol):
    """The pictures of an annotation file, wherever their pixels come from."""

    def read(self, position: int, rows: slice = WHOLE) -> np.ndarray:
        """[H, W, 3] uint8 RGB of the picture at a position of the table; not to be written to.

        Args:
            position: in the table of pictures.
            rows: those that are needed, from a start to a stop; the others hold anything.

        Raises:
            InputError: the file is missing or broken, or has another size than its annotation says.
        """
        ...


def read_image(path: PictureFile) -> np.ndarray:
    """Decode a picture; its EXIF orientation is ignored, as the official evaluation does.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        InputError: the file is missing, empty, cut short or no picture.
    """
    return decode_image(read_picture_bytes(path), path)


def read_upright_image(path: PictureFile) -> np.ndarray:
    """Decode an image as it is displayed: its EXIF orientation is applied.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        InputError: as `read_image`.
    """
    return _decode(read_picture_bytes(path), path, _UPRIGHT)


def read_picture_bytes(path: PictureFile) -> bytes:
    """All bytes of a picture's file.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(path, None, None, "no such picture") from None
    except OSError as error:
        raise InputError(path, None, None, f"cannot be read: {error}") from None


def decode_image(data: bytes, path: PictureFile) -> np.ndarray:
    """Decode the bytes of a picture's file; see `read_image`.

    Args:
        path: of the file, for messages.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        InputError: they are none, cut short or no picture's.
    """
    return _decode(data, path, _AS_STORED)


def _decode(data: bytes, path: PictureFile, flags: int) -> np.ndarray:
    if not data:
        raise InputError(path, None, None, "the picture is empty")
    if _is_cut_short(data):
        raise InputError(path, None, None, "the picture is cut short: its end is missing")
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:  # more than 2^30 pixels, or than there is memory for
        raise InputError(path, None, None, f"cannot be decoded: {error.err}") from None
    if image is None:
        raise InputError(path, None, None, "not a picture that can be decoded")
    return image


def _is_cut_short(data: bytes) -> bool:
    """A JPEG or PNG that the decoder would not refuse at once; it refuses other cut formats itself."""
    return _is_cut_jpeg(data) or _is_cut_png(data)


def _is_cut_jpeg(data: bytes) -> bool:
    """A JPEG without its end marker, which the decoder would fill with grey."""
    # Neither marker can occur within scan data, and a thumbnail's lie before the picture's own start of scan. Searched
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


class PictureFiles:
    """The pictures of an annotation file, decoded whenever they are read."""

    def __init__(self, folder: PictureFolder, images: ImageTable) -> None:
        self.folder = folder
        self.images = images
        # Reading a string of a list writes its count of references: each loading process would copy their memory.
        self._names = np.array(images.file_names, dtype=np.str_)

    def read(self, position: int, rows: slice = WHOLE) -> np.ndarray:
        """See `Pictures.read`; all rows hold the picture."""
        return self.decode(position, self.read_bytes(position))

    def read_bytes(self, position: int) -> bytes:
        """The bytes of the file at a position of the table.

        Raises:
            InputError: it is missing or cannot be read.
        """
        return read_picture_bytes(self._path(position))

    def decode(self, position: int, data: bytes) -> np.ndarray:
        """[H, W, 3] uint8 RGB from the bytes of the file at a position of the table.

        Raises:
            InputError: they are broken, or the picture has another size than its annotation says.
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

    def _path(self, position: int) -> PictureFile:
        return self.folder / str(self._names[position])


class PictureStore:
    """The pictures of an annotation file, the first ones kept in memory.

    The memory is shared with processes that are forked later, whichever of them decodes a picture first; pages that
    nobody has written take none.
    """

    def __init__(self, pictures: Pictures, images: ImageTable, cache_bytes: int) -> None:
        """Read from `pictures`; keep as many of the table's first pictures as fit into `cache_bytes`."""
        self.pictures = pictures
        self.images = images
        self._ends = np.cumsum(images.picture_bytes)
        self._cached = int(np.searchsorted(self._ends, cache_bytes, side="right"))
        self._allocate()

    def read(self, position: int, rows: slice = WHOLE) -> np.ndarray:
        """See `Pictures.read`; of what is kept, all rows hold the picture."""
        if position >= self._cached:
            return self.pictures.read(position, rows)
        height, width = self.images.sizes_hw[position]
        end = self._ends[position]
        pixels = self._pixels[end - int(height) * int(width) * 3 : end].reshape(height, width, 3)
        if not self._decoded[position]:
            pixels[:] = self.pictures.read(position)
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
