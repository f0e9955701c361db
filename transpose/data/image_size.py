"""The size of an image from its first bytes, before anything of it is decoded."""

import io
import struct
import warnings
from pathlib import Path
from typing import BinaryIO

from transpose.errors import InputError

_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of all codings; the three left out are tables and an extension."""

_WITHOUT_CONTENT = frozenset({0x01, *range(0xD0, 0xD9)})

_JPEG_START = b"\xff\xd8"

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""What a PNG begins with, before its first chunk."""

_PNG_START = PNG_SIGNATURE + b"\0\0\0\rIHDR"


def jpeg_size(path: Path) -> tuple[int, int]:
    """(height, width) in pixels as stored, which is how images are read here: an EXIF orientation is ignored.

    Raises:
        InputError: the file is missing or no JPEG with a size in its header.
    """
    try:
        with path.open("rb") as stream:
            size = _frame_size(stream)
    except FileNotFoundError:
        raise InputError(path, None, None, "no such image") from None
    except OSError as error:
        raise InputError(path, None, None, f"cannot be read: {error}") from None
    if size is None or not all(size):
        raise InputError(path, None, None, "not a JPEG with a size in its header")
    return size


def announced_size(data: bytes) -> tuple[int, int] | None:
    """(height, width) in pixels that an image's file announces; None for a JPEG that does not, or nothing at all.

    Either way round: an orientation may be counted in or not.

    Args:
        data: the file, or enough of its beginning.

    Raises:
        ValueError: it is no image of a kind that tells, or announces more pixels than any image has.
    """
    if data.startswith(_PNG_START) and len(data) >= len(_PNG_START) + 8:
        width, height = struct.unpack_from(">II", data, len(_PNG_START))
        return height, width
    if data and not data.startswith(_JPEG_START):
        return _size_by_pillow(data)
    size = _frame_size(io.BytesIO(data))
    # The height of a JPEG may be 0, and follow at the end.
    return size if size is not None and all(size) else None


def _size_by_pillow(data: bytes) -> tuple[int, int]:
    """Of the other formats, which are rare enough to be left to a larger library."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of damage that the decoder judges, and of sizes that are only unusual
        try:
            with Image.open(io.BytesIO(data)) as image:
                return image.height, image.width
        except Image.DecompressionBombError as error:
            raise ValueError(str(error)) from None
        except (OSError, SyntaxError, ValueError, EOFError, struct.error):
            raise ValueError("not an image that can be decoded") from None


def _frame_size(stream: BinaryIO) -> tuple[int, int] | None:
    if stream.read(2) != _JPEG_START:
        return None
    while (marker := _next_marker(stream)) is not None:
        if marker in _WITHOUT_CONTENT:
            continue
        header = stream.read(7 if marker in _START_OF_FRAME else 2)
        if marker in _START_OF_FRAME:
            return (int.from_bytes(header[3:5]), int.from_bytes(header[5:7])) if len(header) == 7 else None
        stream.seek(max(int.from_bytes(header) - 2, 0), 1)
    return None


def _next_marker(stream: BinaryIO) -> int | None:
    """The code of the marker that must come next; it may be padded with 0xFF."""
    byte = stream.read(1)
    if byte != b"\xff":
        return None
    while byte == b"\xff":
        byte = stream.read(1)
    return byte[0] if byte else None
