"""Images with persons, before and after their poses are predicted."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from transpose.inference.poses import Poses


@dataclass(frozen=True)
class ImagePersons:
    """An image and the boxes of the persons in it."""

    path: Path
    boxes_xywh: np.ndarray | None
    """[N, 4] image pixels; None means one box over the whole image."""


@dataclass(frozen=True)
class ImagePoses:
    """The poses predicted in an image."""

    path: Path
    poses: Poses
