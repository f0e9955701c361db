"""Detect persons in images."""

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from transpose.config.dataset import DetectorBoxes
from transpose.data.boxes import PersonBoxes, boxes_of_images
from transpose.data.coco import ImageTable
from transpose.data.detector_model import DetectorModel
from transpose.data.images import ImageFiles, ImageFolder

PADDING = 114
"""Grey value of the padding that YOLOX models are trained with."""


def detector_boxes(settings: DetectorBoxes, model: Path, images: ImageTable, folder: ImageFolder) -> PersonBoxes:
    """Detect the persons in images; boxes are clipped, in the table's image order, best first in each image.

    Non-maximum suppression is always applied, also to the output of models that include it.

    Raises:
        InputError: onnxruntime is not installed, or the model or an image is missing or wrong.
    """
    detector = DetectorModel(model, settings)
    store = ImageFiles(folder, images)
    positions = tqdm(range(len(images)), desc="detect persons", unit="image", mininterval=5.0)
    found = [_detect(detector, store.read(position), settings) for position in positions]
    return boxes_of_images(images.ids, found)


def _detect(detector: DetectorModel, image: np.ndarray, settings: DetectorBoxes) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes [n, 4] (x, y, width, height) in image pixels and scores [n] of one image [H, W, 3]."""
    canvas, scale = letterbox(image, settings.input_size)
    corners, scores = detector.find(canvas)
    best = best_boxes(corners, scores, settings.nms_threshold)
    boxes = boxes_in_image(corners[best], scale, np.array(image.shape[:2]))
    inside = (boxes[:, 2:] > 0).all(axis=1)
    return boxes[inside], scores[best][inside]


def best_boxes(boxes_xyxy: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    """Apply non-maximum suppression; returns the positions of the boxes [N, 4] to keep, best first.

    A box is dropped if its intersection over union with a better kept box exceeds the threshold. Of boxes with equal
    scores the first is better.
    """
    if not len(scores):
        return np.empty(0, dtype=np.int64)
    boxes_xywh = np.concatenate([boxes_xyxy[:, :2], boxes_xyxy[:, 2:] - boxes_xyxy[:, :2]], axis=1)
    # OpenCV drops scores of 0.
    positive = np.maximum(scores.astype(np.float32), np.finfo(np.float32).tiny)
    return np.array(cv2.dnn.NMSBoxes(boxes_xywh.tolist(), positive.tolist(), 0.0, threshold), dtype=np.int64)


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
