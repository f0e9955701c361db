"""Predict the same persons with several models."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from transpose.data.any_image import AnyImage, read_any_image
from transpose.data.image_boxes import boxes_in_image, crop_boxes
from transpose.data.loader import EvaluationBatch
from transpose.inference.poses import Poses
from transpose.pose_model import PoseModel


def predict_with_each(models: Sequence[PoseModel], image: AnyImage, boxes: ArrayLike | None = None) -> list[Poses]:
    """Predict the poses of persons in boxes with each model; models of the same input size share the crops.

    Args:
        models: any pose models.
        image: see `PoseModel.predict`.
        boxes: see `PoseModel.predict`.

    Raises:
        InputError: see `PoseModel.predict`.
    """
    pixels, name = read_any_image(image)
    given = boxes_in_image(boxes, pixels, name)
    sizes = {model.variant.input_size for model in models}
    rows = np.arange(len(given))
    crops = {size: EvaluationBatch.of(crop_boxes(pixels, given, size, rows)) for size in sizes}
    return [model.predict_crops(crops[model.variant.input_size], given) for model in models]
