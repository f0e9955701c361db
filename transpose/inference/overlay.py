"""Draw poses on their image."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from transpose.files import atomic_path
from transpose.skeleton import Skeleton

# RGB; distinguishable with deuteranopia.
_LEFT, _RIGHT, _MIDDLE, _OUTLINE = (230, 159, 0), (86, 180, 233), (255, 255, 255), (0, 0, 0)
_SUBPIXEL_BITS = 4
_LINE_OF_PERSON = 1 / 60
"""Line width relative to the square root of a person's box."""


def draw_persons(
    image: np.ndarray,
    xy: np.ndarray,
    is_drawn: np.ndarray,
    boxes: np.ndarray,
    skeleton: Skeleton,
    labels: Sequence[str] = (),
) -> np.ndarray:
    """Return the image with limbs and keypoints of all persons, larger persons drawn first.

    A person's left side is orange, the right side blue, the middle white.

    Args:
        image: [H, W, 3] uint8 RGB.
        xy: [N, K, 2] keypoints in image pixels.
        is_drawn: [N, K] bool: keypoints to draw; a limb is drawn if both of its keypoints are.
        boxes: [N, 4] x, y, width, height in image pixels; line widths depend on them.
        labels: text above each person's keypoints, or none.
    """
    drawn = image.copy()
    areas = boxes[:, 2] * boxes[:, 3]
    for person in np.argsort(-areas, kind="stable").tolist():
        width = max(1, round(float(areas[person]) ** 0.5 * _LINE_OF_PERSON))
        _draw_person(drawn, xy[person], is_drawn[person], skeleton, width)
        if labels and is_drawn[person].any():
            _draw_label(drawn, labels[int(person)], xy[person][is_drawn[person]].min(axis=0), width)
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
    points = _fixed_points(xy)
    # Outlines first, so that no limb's outline covers another limb.
    for extra in (2, 0):
        for a, b in limbs:
            side = colours[a] if colours[a] == colours[b] else _MIDDLE
            _line(image, points[a], points[b], _OUTLINE if extra else side, width + extra)
        for keypoint in np.flatnonzero(shown).tolist():
            _dot(image, points[keypoint], _OUTLINE if extra else colours[keypoint], width + 1 + extra / 2)


def _draw_label(image: np.ndarray, text: str, corner: np.ndarray, width: int) -> None:
    """Draw a text above the top left corner [2] of a person's keypoints, inside the image."""
    size = max(0.5, width / 5)
    x, y = np.maximum(np.rint(corner - (0, 4 * width)), (0, 22 * size)).astype(int).tolist()
    for colour, extra in ((_OUTLINE, 3), (_MIDDLE, 1)):
        thickness = max(1, round(size)) + extra - 1
        cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, thickness, cv2.LINE_AA)


def _colour_of(keypoint: str) -> tuple[int, int, int]:
    return _LEFT if keypoint.startswith("left_") else _RIGHT if keypoint.startswith("right_") else _MIDDLE


def _line(image: np.ndarray, start: list[int], end: list[int], colour: tuple[int, int, int], width: int) -> None:
    cv2.line(image, start, end, colour, width, cv2.LINE_AA, _SUBPIXEL_BITS)


def _dot(image: np.ndarray, centre: list[int], colour: tuple[int, int, int], radius: float) -> None:
    cv2.circle(image, centre, round(radius * 2**_SUBPIXEL_BITS), colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _fixed_points(xy: np.ndarray) -> list[list[int]]:
    """Return points [K, 2] as K pairs in fixed-point numbers, as OpenCV draws them between pixels."""
    return np.rint(xy * 2**_SUBPIXEL_BITS).astype(int).tolist()
