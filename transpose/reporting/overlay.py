"""Draw poses on their image."""

from pathlib import Path

import cv2
import numpy as np

from transpose.files import atomic_path
from transpose.inference.poses import Poses
from transpose.skeleton import Skeleton

# RGB; distinguishable with deuteranopia.
_LEFT, _RIGHT, _MIDDLE, _OUTLINE = (230, 159, 0), (86, 180, 233), (255, 255, 255), (0, 0, 0)
_SUBPIXEL_BITS = 4
_LINE_OF_PERSON = 1 / 60
"""Line width relative to the square root of a person's box."""


def draw_poses(image: np.ndarray, poses: Poses, min_score: float) -> np.ndarray:
    """Return the image [H, W, 3] uint8 RGB with limbs and keypoints of all persons, larger persons drawn first.

    A person's left side is orange, the right side blue, the middle white.

    Args:
        min_score: keypoints with a lower score are not drawn, nor are their limbs.
    """
    drawn = image.copy()
    areas = poses.boxes[:, 2] * poses.boxes[:, 3]
    for person in np.argsort(-areas, kind="stable").tolist():
        width = max(1, round(float(areas[person]) ** 0.5 * _LINE_OF_PERSON))
        _draw_person(drawn, poses.xy[person], poses.scores[person] >= min_score, poses.skeleton, width)
    return drawn


def write_image(image: np.ndarray, path: Path) -> None:
    """Write [H, W, 3] uint8 RGB as PNG, atomically.

    Raises:
        InputError: the file cannot be written.
    """
    _, encoded = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def _draw_person(image: np.ndarray, xy: np.ndarray, shown: np.ndarray, skeleton: Skeleton, width: int) -> None:
    colours = [_colour_of(name) for name in skeleton.keypoints]
    limbs = [(a, b) for a, b in skeleton.limb_indices.tolist() if shown[a] and shown[b]]
    # Outlines first, so that no limb's outline covers another limb.
    for extra in (2, 0):
        for a, b in limbs:
            side = colours[a] if colours[a] == colours[b] else _MIDDLE
            _line(image, xy[a], xy[b], _OUTLINE if extra else side, width + extra)
        for keypoint in np.flatnonzero(shown).tolist():
            _dot(image, xy[keypoint], _OUTLINE if extra else colours[keypoint], width + 1 + extra / 2)


def _colour_of(keypoint: str) -> tuple[int, int, int]:
    return _LEFT if keypoint.startswith("left_") else _RIGHT if keypoint.startswith("right_") else _MIDDLE


def _line(image: np.ndarray, start: np.ndarray, end: np.ndarray, colour: tuple[int, int, int], width: int) -> None:
    cv2.line(image, _fixed(start), _fixed(end), colour, width, cv2.LINE_AA, _SUBPIXEL_BITS)


def _dot(image: np.ndarray, centre: np.ndarray, colour: tuple[int, int, int], radius: float) -> None:
    cv2.circle(image, _fixed(centre), round(radius * 2**_SUBPIXEL_BITS), colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _fixed(point: np.ndarray) -> tuple[int, int]:
    x, y = np.rint(point * 2**_SUBPIXEL_BITS).astype(int).tolist()
    return x, y
