"""Read the size of an image from its header, without decoding it."""

import io
import struct
import warnings
from pathlib import Path
from typing import BinaryIO

from transpose.errors import InputError

_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Frame markers of all codings; the three excluded markers are tables and an extension."""

_WITHOUT_CONTENT = frozenset({0x01, *range(0xD0, 0xD9)})

_JPEG_START = b"\xff\xd8"

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
"""The first bytes of a PNG, before its first chunk."""

_PNG_START = PNG_SIGNATURE + b"\0\0\0\rIHDR"


def jpeg_size(path: Path) -> tuple[int, int]:
    """Return (height, width) in pixels as stored; the EXIF orientation is ignored, as it is when images are read.

    Raises:
        InputError: the file is missing or not a JPEG with a size in its header.
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
    """Return (height, width) in pixels from an image file's header; None for a JPEG without them, or no data.

    The two may be swapped: some formats apply the orientation, others do not.

    Args:
        data: the file, or enough of its beginning.

    Raises:
        ValueError: the format is unknown, or the size exceeds Pillow's limit.
    """
    if data.startswith(_PNG_START) and len(data) >= len(_PNG_START) + 8:
        width, height = struct.unpack_from(">II", data, len(_PNG_START))
        return height, width
    if data and not data.startswith(_JPEG_START):
        return _size_by_pillow(data)
    size = _frame_size(io.BytesIO(data))
    # The height in a JPEG header may be 0; it then follows at the end.
    return size if size is not None and all(size) else None


def _size_by_pillow(data: bytes) -> tuple[int, int]:
    """Return (height, width) of other formats."""
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
    """Read the code of the next marker, which may be padded with 0xFF; None if there is none."""
    byte = stream.read(1)
    if byte != b"\xff":
        return None
    while byte == b"\xff":
        byte = stream.read(1)
    return byte[0] if byte else None
