"""A model's predictions on person boxes: heatmaps, keypoints, and the persons that stay."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from transpose.compute import Compute
from transpose.config.study import Protocol
from transpose.data.boxes import PersonBoxes
from transpose.data.crops import normalise
from transpose.data.loader import EvaluationBatch
from transpose.errors import InputError
from transpose.evaluation.results import PoseResults
from transpose.geometry import PIXELS_PER_SCALE_UNIT
from transpose.inference.decode import argmax_decode, dark_decode, heatmap_to_image
from transpose.inference.flip import flip_test
from transpose.inference.nms import oks_nms, rescore
from transpose.skeleton import Skeleton


@dataclass(frozen=True)
class Predictions:
    """Keypoints in each of N boxes, in the order of the boxes, before rescoring and suppression."""

    keypoints_xy: np.ndarray
    """[N, K, 2] float64, image pixels."""
    keypoint_scores: np.ndarray
    """[N, K] float64: maxima of the heatmaps."""
    areas: np.ndarray
    """[N] float64: padded boxes in image pixels squared."""


@contextmanager
def finite_heatmaps_of(source: Path) -> Iterator[None]:
    """While entered, heatmaps that are not finite are the fault of `source`: the weights, or a training's folder.

    Raises:
        InputError: a heatmap is not finite.
    """
    try:
        yield
    except FloatingPointError as error:
        raise InputError(source, None, None, f"{error}; training has diverged") from None


def predict_heatmaps(
    model: Callable[[Tensor], Tensor], crops: Tensor, skeleton: Skeleton, protocol: Protocol, compute: Compute
) -> Tensor:
    """Heatmaps [B, K, h, w] float32 on the CPU of crops [B, h, w, 3] uint8, flip test included.

    Raises:
        FloatingPointError: a heatmap is not finite, as those of a diverged model.
    """
    images = normalise(crops.to(compute.device, non_blocking=True))
    with torch.inference_mode(), compute.autocast():
        heatmaps = flip_test(model, images, skeleton) if protocol.flip_test else model(images)
    heatmaps = heatmaps.float().cpu()
    if not heatmaps.isfinite().all():
        raise FloatingPointError("the model's heatmaps are not finite")
    return heatmaps


def decode_heatmaps(heatmaps: np.ndarray, protocol: Protocol) -> tuple[np.ndarray, np.ndarray]:
    """Points [N, K, 2] in heatmap pixels and scores [N, K] of heatmaps [N, K, h, w], as the protocol says."""
    if protocol.decoder == "argmax":
        return argmax_decode(heatmaps)
    return dark_decode(heatmaps, protocol.blur_kernel)


def predict_keypoints(
    model: Callable[[Tensor], Tensor],
    batches: Iterable[EvaluationBatch],
    skeleton: Skeleton,
    protocol: Protocol,
    compute: Compute,
) -> Predictions:
    """Keypoints of all crops, decoded as the protocol says.

    Args:
        model: [B, 3, H, W] normalised images to [B, K, h, w] heatmaps; a module must be in evaluation mode.
        batches: crops of all boxes, each box once, in any order.

    Raises:
        FloatingPointError: as `predict_heatmaps`.
    """
    index, points, scores, areas = [np.zeros(0, dtype=np.int64)], [], [], []
    for batch in batches:
        heatmaps = predict_heatmaps(model, batch.crops, skeleton, protocol, compute).numpy()
        decoded, heights = decode_heatmaps(heatmaps, protocol)
        size = heatmaps.shape[2], heatmaps.shape[3]
        index.append(batch.index)
        points.append(heatmap_to_image(decoded, batch.center, batch.scale, size))
        scores.append(heights.astype(np.float64))
        areas.append((batch.scale * PIXELS_PER_SCALE_UNIT).prod(axis=1))
    order = np.argsort(np.concatenate(index))
    return Predictions(
        keypoints_xy=np.concatenate([np.zeros((0, len(skeleton), 2)), *points])[order],
        keypoint_scores=np.concatenate([np.zeros((0, len(skeleton))), *scores])[order],
        areas=np.concatenate([np.zeros(0), *areas])[order],
    )


def finish_predictions(
    predictions: Predictions, boxes: PersonBoxes, protocol: Protocol, skeleton: Skeleton, suppress: bool = True
) -> PoseResults:
    """Rescore the persons and drop those found twice (paper, section 4.2).

    Args:
        boxes: those that were predicted on; a person's score is the box's times the mean of its keypoints'.
        suppress: False drops nobody and names the person of each box: PCKh wants one prediction of each.

    Returns:
        The persons kept, by image and falling score.
    """
    scores = rescore(boxes.scores, predictions.keypoint_scores, protocol.keypoint_threshold)
    keep = np.lexsort((-scores, boxes.image_ids))
    if suppress:
        keep = oks_nms(
            predictions.keypoints_xy,
            scores,
            predictions.areas,
            boxes.image_ids,
            skeleton.oks_sigmas,
            protocol.nms_threshold,
        )
    keypoints = np.concatenate((predictions.keypoints_xy, predictions.keypoint_scores[..., None]), axis=2)
    return PoseResults(
        image_ids=boxes.image_ids[keep],
        keypoints=keypoints[keep],
        scores=scores[keep],
        annotation_ids=None if suppress else boxes.annotation_ids[keep],
    )
