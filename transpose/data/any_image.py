"""Read an image in any form that users have: a file, an array, or a PIL image."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from transpose.data.images import ImageFile, announced_size, decode_image, read_image_bytes
from transpose.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

AnyImage: TypeAlias = "Path | str | np.ndarray | Image"

LARGEST_IMAGE = 178_956_970
"""Pixels, 537 MB once decoded: the limit above which Pillow refuses images too."""


def read_upright_image(path: ImageFile) -> np.ndarray:
    """Decode an image and apply its EXIF orientation.

    Returns:
        [H, W, 3] uint8 RGB.

    Raises:
        InputError: the file is missing, empty, truncated, not an image, or has more pixels than `LARGEST_IMAGE`.
    """
    data = read_image_bytes(path)
    try:
        size_hw = announced_size(data)
    except ValueError:
        size_hw = None  # the decoder knows more formats, and has the better message
    if size_hw is not None and size_hw[0] * size_hw[1] > LARGEST_IMAGE:
        problem = f"has {size_hw[1]}x{size_hw[0]} pixels, more than {LARGEST_IMAGE:,}: make it smaller"
        raise InputError(problem, file=path)
    return decode_image(data, path, as_displayed=True)


def read_any_image(image: AnyImage) -> tuple[np.ndarray, object]:
    """Return the pixels [H, W, 3] uint8 RGB of an image, and its name in messages.

    Args:
        image: a file or a PIL image, whose EXIF orientation is applied, or [H, W, 3] uint8 RGB.

    Raises:
        InputError: see `read_upright_image`; or the array has another type or shape.
    """
    if isinstance(image, str | Path):
        path = Path(image)
        return read_upright_image(path), path
    pixels = image if isinstance(image, np.ndarray) else _upright_pixels(image)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        problem = f"must be uint8 RGB of shape [H, W, 3], not {pixels.dtype} of shape {list(pixels.shape)}"
        raise InputError(problem, file="image")
    return pixels, "image"


def _upright_pixels(image: Any) -> np.ndarray:
    from PIL import Image, ImageOps

    if not isinstance(image, Image.Image):
        raise InputError(f"must be a path, an array or a PIL image, not {type(image).__name__}", file="image")
    return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
