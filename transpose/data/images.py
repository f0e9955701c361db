"""Read the sizes of images from their headers, and decode them."""

import io
import struct
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Protocol

import cv2
import numpy as np

from transpose.data.coco import ImageTable
from transpose.errors import InputError

_UPRIGHT = cv2.IMREAD_COLOR_RGB
_AS_STORED = _UPRIGHT | cv2.IMREAD_IGNORE_ORIENTATION

_JPEG_START = b"\xff\xd8"
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_START = _PNG_SIGNATURE + b"\0\0\0\rIHDR"

WHOLE = slice(None)
"""All rows of an image."""


class ImageFile(Protocol):
    """A path or path-like object; its `str` is used in messages."""

    def read_bytes(self) -> bytes:
        """Read all bytes of the file; raises FileNotFoundError if it does not exist."""
        ...


class ImageFolder(Protocol):
    """The path of a folder, or a similar object such as `zip_reader.ZipFolder`."""

    def __truediv__(self, name: str, /) -> ImageFile:
        """Return the file with that name."""
        ...


class ImageSource(Protocol):
    """The decoded images of an annotation file."""

    def read(self, position: int, rows: slice = WHOLE) -> np.ndarray:
        """Return an image [H, W, 3] uint8 RGB; the array must not be modified.

        Args:
            position: in the table of images.
            rows: the rows that are needed, from start to stop; other rows are undefined.

        Raises:
            InputError: the file is missing or broken, or its size differs from the annotation.
        """
        ...


def read_image(path: ImageFile) -> np.ndarray:
    """Decode an image; its EXIF orientation is ignored, as in the official evaluation.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        InputError: the file is missing, empty, truncated or not an image.
    """
    return decode_image(read_image_bytes(path), path)


def read_upright_image(path: ImageFile) -> np.ndarray:
    """Decode an image and apply its EXIF orientation.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        InputError: see `read_image`.
    """
    return _decode(read_image_bytes(path), path, _UPRIGHT)


def read_image_bytes(path: ImageFile) -> bytes:
    """Read all bytes of an image file.

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
    """Decode the bytes of an image file; see `read_image`.

    Args:
        path: of the file, for messages.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        InputError: the data is empty, truncated or not an image.
    """
    return _decode(data, path, _AS_STORED)


def _decode(data: bytes, path: ImageFile, flags: int) -> np.ndarray:
    if not data:
        raise InputError(path, None, None, "the image is empty")
    if _is_cut_short(data):
        raise InputError(path, None, None, "the image is truncated")
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:  # more than 2^30 pixels, or too large for the memory
        raise InputError(path, None, None, f"cannot be decoded: {error.err}") from None
    if image is None:
        raise InputError(path, None, None, "not an image that can be decoded")
    return image


def _is_cut_short(data: bytes) -> bool:
    """Whether a JPEG or PNG is truncated; the decoder itself refuses other truncated formats."""
    return _is_cut_jpeg(data) or _is_cut_png(data)


def _is_cut_jpeg(data: bytes) -> bool:
    """Whether a JPEG lacks its end marker; the decoder would fill the rest with grey."""
    # Neither marker can occur in scan data, and those of a thumbnail precede the image's own start of scan. Searched
    # from the end, since most of a complete file is scan data.
    return data.startswith(_JPEG_START) and data.find(b"\xff\xda", max(data.rfind(b"\xff\xd9"), 0)) >= 0


def _is_cut_png(data: bytes) -> bool:
    """Whether a chunk of a PNG exceeds the file; the decoder would first allocate its size, up to 4 GB."""
    if not data.startswith(_PNG_SIGNATURE):
        return False
    offset = len(_PNG_SIGNATURE)
    while offset + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, offset)
        offset += 12 + length
        if kind == b"IEND":
            break
    return offset > len(data)


def jpeg_size(path: Path) -> tuple[int, int]:
    """Return (height, width) in pixels as stored; the EXIF orientation is ignored, as it is when images are read.

    Raises:
        InputError: the file is missing or not a JPEG with a size in its header.
    """
    try:
        with path.open("rb") as stream:
            size = _jpeg_header_size(stream)
    except FileNotFoundError:
        raise InputError(path, None, None, "no such image") from None
    except OSError as error:
        raise InputError(path, None, None, f"cannot be read: {error}") from None
    if size is None:
        raise InputError(path, None, None, "not a JPEG with a size in its header")
    return size


def announced_size(data: bytes) -> tuple[int, int] | None:
    """Return (height, width) in pixels from an image file's header; None for no data or a JPEG with a damaged header.

    The two may be swapped: some formats apply the orientation, others do not.

    Raises:
        ValueError: the format is unknown, or the size exceeds Pillow's limit.
    """
    # Pillow refuses damaged extra chunks, which the decoder ignores.
    if data.startswith(_PNG_START) and len(data) >= len(_PNG_START) + 8:
        width, height = struct.unpack_from(">II", data, len(_PNG_START))
        return height, width
    if not data or data.startswith(_JPEG_START):
        return _jpeg_header_size(io.BytesIO(data))
    return _size_by_pillow(data)


def _jpeg_header_size(stream: BinaryIO) -> tuple[int, int] | None:
    """Return (height, width) of a JPEG of any size; the decoder may still read one whose header Pillow refuses."""
    from PIL.JpegImagePlugin import JpegImageFile

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            # Unlike `Image.open`, this has no limit of pixels.
            image = JpegImageFile(stream)
        except (OSError, SyntaxError, ValueError):
            return None
    return image.height, image.width


def _size_by_pillow(data: bytes) -> tuple[int, int]:
    """Return (height, width) of formats other than JPEG and PNG."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the decoder checks for damage, and large sizes are allowed
        try:
            with Image.open(io.BytesIO(data)) as image:
                return image.height, image.width
        except Image.DecompressionBombError as error:
            raise ValueError(str(error)) from None
        except (OSError, SyntaxError, ValueError, EOFError, struct.error):
            raise ValueError("not an image that can be decoded") from None


class ImageFiles:
    """The images of an annotation file, decoded on every read."""

    def __init__(self, folder: ImageFolder, images: ImageTable) -> None:
        self.folder = folder
        self.images = images
        # An array, because reading strings of a list changes reference counts, so each worker would copy their memory.
        self._names = np.array(images.file_names, dtype=np.str_)

    def read(self, position: int, rows: slice = WHOLE) -> np.ndarray:
        """See `ImageSource.read`; all rows are read."""
        return self.decode(position, self.read_bytes(position))

    def read_bytes(self, position: int) -> bytes:
        """Read the bytes of the image file at a position of the table.

        Raises:
            InputError: it is missing or cannot be read.
        """
        return read_image_bytes(self._path(position))

    def decode(self, position: int, data: bytes) -> np.ndarray:
        """Decode the bytes of the image file at a position of the table; returns [H, W, 3] uint8 RGB.

        Raises:
            InputError: the data is broken, or the image's size differs from the annotation.
        """
        path = self._path(position)
        self._check_announcement(data, position)
        image = decode_image(data, path)
        if image.shape[:2] != self._annotated_size(position):
            raise self._wrong_size(image.shape[:2], position)
        return image

    def _check_announcement(self, data: bytes, position: int) -> None:
        """Check the size in the header before decoding: a small file can declare billions of pixels."""
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
        problem = f"is {size_hw[1]}x{size_hw[0]} pixels, but annotated as {width}x{height}"
        return InputError(self._path(position), None, None, problem)

    def _path(self, position: int) -> ImageFile:
        return self.folder / str(self._names[position])
