"""Read the sizes of images from their headers, and decode them."""

import io
import re
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
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
"""A JPEG marker other than restart markers, which occur in scan data, as stuffed zeros do."""
_TIFF_STARTS = (b"II*\0", b"MM\0*")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")

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


def read_image_bytes(path: ImageFile) -> bytes:
    """Read all bytes of an image file.

    Raises:
        InputError: the file is missing or cannot be read.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError("no such image", file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error}", file=path) from None


def decode_image(data: bytes, path: ImageFile, as_displayed: bool = False) -> np.ndarray:
    """Decode the bytes of an image file; see `read_image`.

    Args:
        path: of the file, for messages.
        as_displayed: apply the EXIF orientation.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        InputError: the data is empty, truncated or not an image.
    """
    return _decode(data, path, _UPRIGHT if as_displayed else _AS_STORED)


def _decode(data: bytes, path: ImageFile, flags: int) -> np.ndarray:
    check_encoded(data, path)
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
        # Values of up to 12 bits in 16 leave at most 16 of 255.
        is_dark = _may_be_deep(data) and image is not None and int(image.max(initial=0)) <= 16
        deep = deep_values(data, cv2.IMREAD_COLOR | (flags & cv2.IMREAD_IGNORE_ORIENTATION)) if is_dark else None
    except cv2.error as error:  # more than 2^30 pixels, or too large for the memory
        raise InputError(f"cannot be decoded: {error.err}", file=path) from None
    if image is None:
        raise InputError("not an image that can be decoded", file=path)
    if deep is not None and (bits := used_bits(deep)) < 16:
        # The decoder would keep the upper 8 of 16 bits, and the image would be nearly black.
        return cv2.cvtColor((deep >> (bits - 8)).astype(np.uint8), cv2.COLOR_BGR2RGB)
    return image


def check_encoded(data: bytes, path: ImageFile) -> None:
    """Check what can be seen without decoding.

    Raises:
        InputError: the data is empty or truncated, or of a format that has to be converted.
    """
    if not data:
        raise InputError("the image is empty", file=path)
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        problem = "is a HEIC image: convert it to JPEG, for example with `heif-convert` of libheif or `sips` of macOS"
        raise InputError(problem, file=path)
    if _is_cut_short(data):
        raise InputError("the image is truncated", file=path)


def deep_values(data: bytes, flags: int = cv2.IMREAD_COLOR) -> np.ndarray | None:
    """Decode a PNG or TIFF of 16 bits per value; returns [H, W, 3] uint16 BGR, None for other images."""
    if not _may_be_deep(data):
        return None
    image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags | cv2.IMREAD_ANYDEPTH)
    return image if image is not None and image.dtype == np.uint16 else None


def _may_be_deep(data: bytes) -> bool:
    """Whether a file is a PNG of 16 bits per value, or a TIFF, whose depth is not read here."""
    is_deep_png = data.startswith(_PNG_START) and data[len(_PNG_START) + 8 : len(_PNG_START) + 9] == b"\x10"
    return is_deep_png or data.startswith(_TIFF_STARTS)


def used_bits(image: np.ndarray) -> int:
    """Return the bits per value of an image of 16 bits: 10 or 12 if no value needs more, as of many cameras."""
    largest = int(image.max(initial=0))
    return next(bits for bits in (10, 12, 16) if largest < 2**bits)


def _is_cut_short(data: bytes) -> bool:
    """Whether a JPEG or PNG is truncated; the decoder itself refuses other truncated formats."""
    return _is_cut_jpeg(data) or _is_cut_png(data)


def _is_cut_jpeg(data: bytes) -> bool:
    """Whether a JPEG lacks its end marker; the decoder would fill the rest with grey."""
    # Neither marker can occur in scan data, and those of a thumbnail precede the image's own start of scan. Searched
    # from the end, since most of a complete file is scan data.
    if not data.startswith(_JPEG_START) or data.find(b"\xff\xda", max(data.rfind(b"\xff\xd9"), 0)) < 0:
        return False
    # The image may also be complete and followed by other data, such as the video of a motion photo.
    return not _reaches_end_marker(data)


def _reaches_end_marker(data: bytes) -> bool:
    """Whether the segments of a JPEG lead to its end marker."""
    position = len(_JPEG_START)
    while (match := _MARKER.search(data, position)) is not None:
        if match[0] == b"\xff\xd9":
            return True
        position = match.end()
        if match[0] != b"\xff\x01":  # the only other marker here without a length
            position += int.from_bytes(data[position : position + 2], "big")
    return False


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
        raise InputError("no such image", file=path) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error}", file=path) from None
    if size is None:
        raise InputError("not a JPEG with a size in its header", file=path)
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


def stored_size(data: bytes, path: ImageFile) -> tuple[int, int]:
    """Return (height, width) in pixels from an image file's header.

    Raises:
        InputError: the header is damaged, or the format is unknown.
    """
    try:
        size_hw = announced_size(data)
    except ValueError as error:
        raise InputError(str(error), file=path) from None
    if size_hw is None:
        raise InputError("not an image that can be decoded", file=path)
    return size_hw


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
        as_displayed = self.images.as_displayed is not None and bool(self.images.as_displayed[position])
        image = decode_image(data, path, as_displayed)
        if image.shape[:2] != self._annotated_size(position):
            raise self._wrong_size(image.shape[:2], position)
        return image

    def _check_announcement(self, data: bytes, position: int) -> None:
        """Check the size in the header before decoding: a small file can declare billions of pixels."""
        try:
            size = announced_size(data)
        except ValueError as error:
            raise InputError(str(error), file=self._path(position)) from None
        if size is not None and sorted(size) != sorted(self._annotated_size(position)):
            raise self._wrong_size(size, position)

    def _annotated_size(self, position: int) -> tuple[int, int]:
        """(height, width)."""
        height, width = self.images.sizes_hw[position].tolist()
        return height, width

    def _wrong_size(self, size_hw: Sequence[int], position: int) -> InputError:
        height, width = self._annotated_size(position)
        problem = f"is {size_hw[1]}x{size_hw[0]} pixels, but annotated as {width}x{height}"
        return InputError(problem, file=self._path(position))

    def _path(self, position: int) -> ImageFile:
        return self.folder / str(self._names[position])
