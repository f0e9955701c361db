"""Read an image from a file or an array."""

from pathlib import Path

import numpy as np

from transpose.data.images import read_upright_image
from transpose.errors import InputError


def read_any_image(image: Path | str | np.ndarray) -> tuple[np.ndarray, object]:
    """Return the pixels [H, W, 3] uint8 RGB of an image, and its name in messages.

    Args:
        image: a file, whose EXIF orientation is applied, or [H, W, 3] uint8 RGB.

    Raises:
        InputError: the file is missing or broken, or the array has another type or shape.
    """
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            problem = f"must be uint8 RGB of shape [H, W, 3], not {image.dtype} of shape {list(image.shape)}"
            raise InputError(problem, file="image")
        return image, "image"
    path = Path(image)
    return read_upright_image(path), path
