"""Detect persons in images."""

from pathlib import Path

import numpy as np
from tqdm import tqdm

from transpose.config.dataset import DetectorBoxes
from transpose.data.boxes import PersonBoxes
from transpose.data.coco import ImageTable
from transpose.data.detector.letterbox import boxes_in_image, letterbox
from transpose.data.detector.model import DetectorModel
from transpose.data.detector.suppression import suppress
from transpose.data.images import ImageFiles, ImageFolder


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
    boxes = np.concatenate([np.empty((0, 4)), *(boxes for boxes, _ in found)])
    scores = np.concatenate([np.empty(0), *(scores for _, scores in found)])
    counts = [len(scores) for _, scores in found]
    return PersonBoxes(np.repeat(images.ids, counts), boxes, scores, np.full(len(scores), -1))


def _detect(detector: DetectorModel, image: np.ndarray, settings: DetectorBoxes) -> tuple[np.ndarray, np.ndarray]:
    """Return boxes [n, 4] (x, y, width, height) in image pixels and scores [n] of one image [H, W, 3]."""
    canvas, scale = letterbox(image, settings.input_size)
    corners, scores = detector.find(canvas)
    best = suppress(corners, scores, settings.nms_threshold)
    boxes = boxes_in_image(corners[best], scale, np.array(image.shape[:2]))
    inside = (boxes[:, 2:] > 0).all(axis=1)
    return boxes[inside], scores[best][inside]
