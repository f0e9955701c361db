"""Images as input of a person detector, in the ways that published detectors are trained with."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import cv2
import numpy as np

PADDING = 114
"""Grey value of the padding that YOLOX and Ultralytics models are trained with."""
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class CanvasStyle:
    """How a detector expects images."""

    fit: Literal["corner", "centre", "stretch"]
    """Aspect ratio kept and padded with grey, with the image in the top left corner or the centre; or stretched."""
    is_rgb: bool
    """RGB instead of BGR."""
    scale: float
    """Factor on values of 0 to 255."""
    is_normalised: bool = False
    """Normalised by ImageNet's mean and standard deviation."""


YOLOX = CanvasStyle("corner", is_rgb=False, scale=1)
ULTRALYTICS = CanvasStyle("centre", is_rgb=True, scale=1 / 255)
RT_DETR = CanvasStyle("stretch", is_rgb=True, scale=1 / 255)
RF_DETR = CanvasStyle("stretch", is_rgb=True, scale=1 / 255, is_normalised=True)


class Canvas(NamedTuple):
    """An image as detector input."""

    values: np.ndarray
    """[3, H, W] float32."""
    scale_xy: np.ndarray
    """[2] canvas pixels per image pixel."""
    offset_xy: np.ndarray
    """[2] position of the image's top left corner, in canvas pixels."""


def canvas_of(image: np.ndarray, size_hw: tuple[int, int], style: CanvasStyle) -> Canvas:
    """Resize an image to the canvas, with bilinear interpolation.

    Args:
        image: [h, w, 3] uint8 RGB.
        size_hw: (height, width) of the canvas.
    """
    height, width = image.shape[:2]
    if style.fit == "stretch":
        pixels = cv2.resize(image, size_hw[::-1], interpolation=cv2.INTER_LINEAR)
        scale_xy, offset_xy = np.array([size_hw[1] / width, size_hw[0] / height]), np.zeros(2)
    else:
        scale = min(size_hw[0] / height, size_hw[1] / width)
        inner_hw = max(1, int(height * scale)), max(1, int(width * scale))
        top, left = (
            ((size_hw[0] - inner_hw[0]) // 2, (size_hw[1] - inner_hw[1]) // 2) if style.fit == "centre" else (0, 0)
        )
        pixels = np.full((*size_hw, 3), PADDING, dtype=np.uint8)
        resized = cv2.resize(image, inner_hw[::-1], interpolation=cv2.INTER_LINEAR)
        pixels[top : top + inner_hw[0], left : left + inner_hw[1]] = resized
        scale_xy, offset_xy = np.full(2, scale), np.array([left, top], dtype=np.float64)
    return Canvas(_values(pixels, style), scale_xy, offset_xy)


def boxes_in_image(boxes_xyxy: np.ndarray, canvas: Canvas, size_hw: tuple[int, int]) -> np.ndarray:
    """Map boxes from the canvas to the image and clip them.

    Args:
        boxes_xyxy: [N, 4] corners in canvas pixels.
        canvas: of the image.
        size_hw: (height, width) of the image.

    Returns:
        [N, 4] (x, y, width, height) in image pixels.
    """
    corners = (np.asarray(boxes_xyxy, dtype=np.float64).reshape(-1, 2, 2) - canvas.offset_xy) / canvas.scale_xy
    corners = np.clip(corners, 0, np.asarray(size_hw)[::-1])
    return np.concatenate([corners[:, 0], corners[:, 1] - corners[:, 0]], axis=1)


def _values(pixels: np.ndarray, style: CanvasStyle) -> np.ndarray:
    """Return the network's values [3, H, W] float32 of pixels [H, W, 3] uint8 RGB."""
    channels = pixels if style.is_rgb else pixels[:, :, ::-1]
    values = np.ascontiguousarray(channels.transpose(2, 0, 1), dtype=np.float32)
    if style.scale != 1:
        values *= np.float32(style.scale)
    if style.is_normalised:
        mean, std = (np.array(three, dtype=np.float32)[:, None, None] for three in (_IMAGENET_MEAN, _IMAGENET_STD))
        values = (values - mean) / std
    return values
