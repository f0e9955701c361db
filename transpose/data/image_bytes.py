"""An encoded image in memory, such as one that a server receives."""

from dataclasses import dataclass

import numpy as np

from transpose.data.any_image import read_upright_image
from transpose.data.images import stored_size
from transpose.errors import InputError

MAX_PIXELS = 50_000_000
"""Largest height times width that servers accept by default."""


@dataclass(frozen=True)
class ImageBytes:
    """The bytes of an image file; see `images.ImageFile`."""

    data: bytes

    def read_bytes(self) -> bytes:
        """Return the bytes."""
        return self.data

    def __str__(self) -> str:
        return "image"


class ImageTooLargeError(InputError):
    """An image with more pixels than allowed."""


def decode_limited(data: bytes, max_pixels: int) -> np.ndarray:
    """Decode an image and apply its EXIF orientation; the size in its header is checked first.

    Args:
        max_pixels: largest allowed height times width.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        ImageTooLargeError: the image has more pixels.
        InputError: the data is not an image or truncated.
    """
    image = ImageBytes(data)
    height, width = stored_size(data, image)
    if height * width > max_pixels:
        raise ImageTooLargeError(f"is {width}x{height} pixels; at most {max_pixels} are accepted", file=image)
    return read_upright_image(image)
