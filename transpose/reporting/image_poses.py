"""Images with persons in them, before and after a model has predicted their poses."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transpose.inference.poses import Poses


@dataclass(frozen=True)
class ImagePersons:
    """An image and the persons in it."""

    path: Path
    boxes_xywh: np.ndarray | None
    """[N, 4] image pixels; None takes the whole image as one person's box."""


@dataclass(frozen=True)
class ImagePoses:
    """The poses that a model finds in an image."""

    path: Path
    poses: Poses
