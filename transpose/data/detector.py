"""Detect persons in images."""

from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from transpose.config.dataset import DetectorBoxes
from transpose.data.boxes import PersonBoxes, boxes_of_images
from transpose.data.coco import ImageTable
from transpose.data.detector_canvas import boxes_in_image
from transpose.data.detector_model import DetectorModel
from transpose.data.images import ImageFiles, ImageFolder

NMS_THRESHOLD = 0.65
"""Usual IoU above which the box with the lower score is dropped."""


class PersonDetector:
    """Detects persons in images."""

    def __init__(self, model: DetectorModel, nms_threshold: float) -> None:
        """Use a model.

        Args:
            nms_threshold: IoU above which the box with the lower score is dropped, also if the model does so itself.
        """
        self._model = model
        self._nms_threshold = nms_threshold

    def find(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Detect the persons in an image [h, w, 3] uint8 RGB, best first.

        Returns:
            Boxes [N, 4] (x, y, width, height) in image pixels, clipped, and scores [N].

        Raises:
            InputError: the model fails.
        """
        (corners, scores), canvas = self._model.find(image)
        best = best_boxes(corners, scores, self._nms_threshold)
        boxes = boxes_in_image(corners[best], canvas, (image.shape[0], image.shape[1]))
        inside = (boxes[:, 2:] > 0).all(axis=1)
        return boxes[inside], scores[best][inside]


def detector_boxes(settings: DetectorBoxes, model: Path, images: ImageTable, folder: ImageFolder) -> PersonBoxes:
    """Detect the persons in images, in the table's image order, best first in each image.

    Raises:
        InputError: the model or an image is missing or wrong.
        ModuleNotFoundError: onnxruntime is not installed.
    """
    network = DetectorModel(model, settings.score_threshold, settings.threads, settings.input_size)
    detector = PersonDetector(network, settings.nms_threshold)
    store = ImageFiles(folder, images)
    positions = tqdm(range(len(images)), desc="detect persons", unit="image", mininterval=5.0)
    found = [detector.find(store.read(position)) for position in positions]
    return boxes_of_images(images.ids, found)


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
