"""Cut the images of the error browser's cases."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from transpose.evaluation.error_types.cases import Case
from transpose.evaluation.error_types.mended import Diagnosed
from transpose.reporting.error_browser import CaseImage
from transpose.reporting.page_images import as_jpeg

_LONGEST_SIDE = 320
"""Of an image on the page, pixels."""
_LARGEST_SCALE = 2.0
_MARGIN = 0.12
"""Around persons and predictions, relative to the longer side of their box."""
_THUMBNAIL_SIDE = 72
_QUALITY, _THUMBNAIL_QUALITY = 82, 60


def case_images(
    models: Sequence[Diagnosed], cases: Sequence[Case], read: Callable[[int], np.ndarray]
) -> list[CaseImage]:
    """Return the image of each case; cases of the same image should come together.

    Args:
        models: results of each model on the same annotations.
        read: returns the image [H, W, 3] uint8 RGB at a position in the table of images.

    Raises:
        InputError: an image is missing or broken.
    """
    images: list[CaseImage] = []
    latest, pixels = -1, np.empty((0, 0, 3), dtype=np.uint8)
    for case in cases:
        if case.image != latest:
            latest, pixels = case.image, read(case.image)
        images.append(_cut(pixels, _frame(models, case)))
    return images


def _frame(models: Sequence[Diagnosed], case: Case) -> np.ndarray:
    """Return the corners [2, 2] of the part of the image that contains the person and the predictions.

    A prediction that reaches further than the person's size beyond its box is cut.
    """
    predicted = [
        model.results.keypoints[row, :, :2] for model, row in zip(models, case.rows, strict=True) if row is not None
    ]
    if case.person is None:
        points = np.concatenate(predicted)
        corners = np.array((points.min(axis=0), points.max(axis=0)))
    else:
        box = models[0].annotations.persons.boxes_xywh[case.person]
        person = np.array((box[:2], box[:2] + box[2:]))
        points = np.concatenate((person, *predicted))
        corners = np.array((points.min(axis=0), points.max(axis=0)))
        reach = np.ptp(person, axis=0).max()
        corners = np.clip(corners, person[0] - reach, person[1] + reach)
    margin = _MARGIN * max(1.0, np.ptp(corners, axis=0).max())
    return corners + np.array([[-margin], [margin]])


def _cut(pixels: np.ndarray, corners: np.ndarray) -> CaseImage:
    """Cut a part of an image [H, W, 3] uint8 RGB; a part that is outside of the image has one pixel."""
    limits = np.array(pixels.shape[1::-1])
    start = np.clip(np.floor(corners[0]).astype(int), 0, limits - 1)
    end = np.clip(np.ceil(corners[1]).astype(int), start + 1, limits)
    width, height = (end - start).tolist()
    scale = min(_LONGEST_SIDE / max(width, height), _LARGEST_SCALE)
    part = pixels[start[1] : end[1], start[0] : end[0]]
    crop = _resized(part, scale)
    return CaseImage(
        start_xy=(int(start[0]), int(start[1])),
        scale=scale,
        size_hw=(crop.shape[0], crop.shape[1]),
        jpeg=as_jpeg(crop, _QUALITY),
        thumbnail=as_jpeg(_resized(part, _THUMBNAIL_SIDE / max(width, height)), _THUMBNAIL_QUALITY),
    )


def _resized(part: np.ndarray, scale: float) -> np.ndarray:
    height, width = part.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(part, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
