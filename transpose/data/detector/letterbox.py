"""Resize images to the detector's input canvas, and map boxes back."""

from typing import NamedTuple

import cv2
import numpy as np

PADDING = 114
"""Grey value of the padding that YOLOX models are trained with."""


class Letterbox(NamedTuple):
    """An image as detector input."""

    canvas: np.ndarray
    """[3, H, W] float32 BGR, 0 to 255: the image at the top left, padded with grey."""
    scale: float
    """Canvas pixels per image pixel."""


def letterbox(image: np.ndarray, size_hw: tuple[int, int]) -> Letterbox:
    """Resize an image to fit the canvas, keeping its aspect ratio; matches YOLOX's own preprocessing.

    Args:
        image: [h, w, 3] uint8 RGB.
        size_hw: (height, width) of the canvas.
    """
    height, width = image.shape[:2]
    scale = min(size_hw[0] / height, size_hw[1] / width)
    inner_hw = max(1, int(height * scale)), max(1, int(width * scale))
    canvas = np.full((*size_hw, 3), PADDING, dtype=np.uint8)
    canvas[: inner_hw[0], : inner_hw[1]] = cv2.resize(image, inner_hw[::-1], interpolation=cv2.INTER_LINEAR)
    return Letterbox(np.ascontiguousarray(canvas[:, :, ::-1].transpose(2, 0, 1), dtype=np.float32), scale)


def boxes_in_image(boxes_xyxy: np.ndarray, scale: float, size_hw: np.ndarray) -> np.ndarray:
    """Map boxes from the canvas to the image and clip them.

    Args:
        boxes_xyxy: [N, 4] corners in canvas pixels.
        scale: of the image's `Letterbox`.
        size_hw: (height, width) of the image.

    Returns:
        [N, 4] (x, y, width, height) in image pixels.
    """
    corners = np.asarray(boxes_xyxy, dtype=np.float64).reshape(-1, 2, 2) / scale
    corners = np.clip(corners, 0, np.asarray(size_hw)[::-1])
    return np.concatenate([corners[:, 0], corners[:, 1] - corners[:, 0]], axis=1)
