"""Person boxes, the crops around them, and the affine maps between image, crop and heatmap pixels.

All values are float64, (x, y), with pixel centres at integers; sizes of crops and heatmaps are (height, width).
"""

from collections.abc import Sequence

import numpy as np

PIXELS_PER_SCALE_UNIT = 200.0
"""Image pixels in one unit of a person's `scale` (matches the official evaluation)."""

_PADDING = 1.25
"""Factor on both sides of a person's box."""

_SMALLEST_SPAN = 0.1
"""Crops span at least this many image pixels, so that the map of a degenerate box can still be inverted."""


def box_to_center_scale(boxes_xywh: np.ndarray, input_size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Convert boxes to the centre and scale of crops: extended to the input's aspect and padded, not clipped.

    Matches the official evaluation: the centre is at x + (w - 1) / 2.

    Args:
        boxes_xywh: [N, 4] image pixels.
        input_size: (height, width) of the network's input.

    Returns:
        center [N, 2] in image pixels and scale [N, 2] in units of 200 image pixels, both (x, y).
    """
    boxes = np.asarray(boxes_xywh, dtype=np.float64).reshape(-1, 4)
    center = boxes[:, :2] + (boxes[:, 2:] - 1) / 2
    return center, extend_to_aspect(boxes[:, 2:], input_size) * (_PADDING / PIXELS_PER_SCALE_UNIT)


def extend_to_aspect(sides_wh: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """Extend the shorter side of [..., 2] (width, height) to the aspect of `size_hw`."""
    aspect = size_hw[1] / size_hw[0]
    width, height = sides_wh[..., 0], sides_wh[..., 1]
    return np.stack([np.maximum(width, height * aspect), np.maximum(height, width / aspect)], axis=-1)


def crop_affines(
    center: np.ndarray, scale: np.ndarray, rotation_deg: np.ndarray, size_hw: tuple[int, int]
) -> np.ndarray:
    """Compute affines from image to crop (or heatmap) pixels, the closed form of the official three points.

    One isotropic factor (W - 1) / (200 scale_w - 1) and a rotation about the centre, which maps to the crop's centre.
    A positive rotation turns the crop's frame clockwise on the screen, so its content turns counter-clockwise.

    Args:
        center: [N, 2] image pixels.
        scale: [N, 2] units of 200 image pixels; only the width counts.
        rotation_deg: [N] degrees.
        size_hw: (height, width) of the crop or of the heatmap.

    Returns:
        [N, 2, 3].
    """
    height, width = size_hw
    span = np.maximum(scale[:, 0] * PIXELS_PER_SCALE_UNIT - 1, _SMALLEST_SPAN)
    factor = (width - 1) / span
    angle = np.deg2rad(rotation_deg)
    affines = np.empty((len(center), 2, 3))
    affines[:, 0, 0] = affines[:, 1, 1] = factor * np.cos(angle)
    affines[:, 0, 1] = factor * np.sin(angle)
    affines[:, 1, 0] = -affines[:, 0, 1]
    affines[:, :, 2] = ((width - 1) / 2, (height - 1) / 2) - np.einsum("nij,nj->ni", affines[..., :2], center)
    return affines


def crop_affine(center: np.ndarray, scale: np.ndarray, rotation_deg: float, size_hw: tuple[int, int]) -> np.ndarray:
    """Compute `crop_affines` [2, 3] of one person with center [2] and scale [2]."""
    return crop_affines(np.asarray(center)[None], np.asarray(scale)[None], np.array([rotation_deg]), size_hw)[0]


def invert_affine(affine: np.ndarray) -> np.ndarray:
    """Invert affines [..., 2, 3]."""
    linear = np.linalg.inv(affine[..., :2])
    return np.concatenate([linear, -linear @ affine[..., 2:]], axis=-1)


def transform_points(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map points [..., 2] by affines [..., 2, 3]; leading axes broadcast."""
    return np.einsum("...ij,...j->...i", affine[..., :2], points) + affine[..., 2]


def heatmap_to_image(
    points: np.ndarray, center: np.ndarray, scale: np.ndarray, heatmap_size: tuple[int, int]
) -> np.ndarray:
    """Map points from heatmap pixels to image pixels, with the inverse of the crop's affine transform.

    Args:
        points: [N, K, 2] (x, y) in heatmap pixels.
        center: [N, 2] centres of the boxes in image pixels.
        scale: [N, 2] sides of the padded boxes in units of 200 image pixels.
        heatmap_size: (height, width).

    Returns:
        [N, K, 2] float64.
    """
    affines = crop_affines(center, scale, np.zeros(len(center)), heatmap_size)
    return transform_points(invert_affine(affines)[:, None], points)


def rescale_points(points: np.ndarray, from_size: tuple[int, int], to_size: tuple[int, int]) -> np.ndarray:
    """Convert points from heatmap to crop pixels, or the reverse.

    Both frames share their centre, and both axes use the factor (W_to - 1) / (W_from - 1) (matches the official
    evaluation, which aligns the centres of the outer pixels).

    Args:
        points: [..., 2] pixels of the frame of `from_size`.
        from_size: (height, width).
        to_size: (height, width).
    """
    factor = (to_size[1] - 1) / (from_size[1] - 1)
    centres = ((np.array(size[::-1]) - 1) / 2 for size in (from_size, to_size))
    from_centre, to_centre = centres
    return to_centre + (np.asarray(points, dtype=np.float64) - from_centre) * factor


def are_inside(boxes_xywh: np.ndarray, size_hw: Sequence[int]) -> np.ndarray:
    """Return [N] bool: whether each box [N, 4] overlaps an image of size (height, width)."""
    starts, ends = boxes_xywh[:, :2], boxes_xywh[:, :2] + boxes_xywh[:, 2:]
    overlaps = (starts < (size_hw[1], size_hw[0])) & (ends > 0)
    return np.asarray(overlaps.all(axis=1))
