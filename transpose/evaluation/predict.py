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
from transpose.inference.decode import argmax_decode, dark_decode, heatmap_to_image, quarter_decode
from transpose.inference.flip import flip_test, mean_with_mirrored
from transpose.inference.nms import best_scored_first, mean_keypoint_score, oks_nms, rescore
from transpose.memory import memory_for
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


class PredictionCollector:
    """Takes the heatmaps of all boxes batch by batch, in any order, and keeps what a protocol decodes from them."""

    def __init__(self, skeleton: Skeleton, protocol: Protocol) -> None:
        self._protocol = protocol
        self._index = [np.zeros(0, dtype=np.int64)]
        self._points = [np.zeros((0, len(skeleton), 2))]
        self._scores = [np.zeros((0, len(skeleton)))]
        self._areas = [np.zeros(0)]

    def add(self, batch: EvaluationBatch, heatmaps: np.ndarray) -> None:
        """Decode the heatmaps [B, K, h, w] of a batch."""
        points, heights = decode_heatmaps(heatmaps, self._protocol)
        size = heatmaps.shape[2], heatmaps.shape[3]
        self._index.append(batch.index)
        self._points.append(heatmap_to_image(points, batch.center, batch.scale, size))
        self._scores.append(heights.astype(np.float64))
        self._areas.append((batch.scale * PIXELS_PER_SCALE_UNIT).prod(axis=1))

    def predictions(self) -> Predictions:
        """What was decoded so far, in the order of the boxes."""
        order = np.argsort(np.concatenate(self._index))
        return Predictions(
            keypoints_xy=np.concatenate(self._points)[order],
            keypoint_scores=np.concatenate(self._scores)[order],
            areas=np.concatenate(self._areas)[order],
        )


@contextmanager
def finite_heatmaps_of(source: Path) -> Iterator[None]:
    """While entered, heatmaps that are not finite are the fault of `source`: the weights, or a training's folder.

    Raises:
        InputError: a heatmap is not finite.
    """
    try:
        yield
    except FloatingPointError as error:
        raise InputError(source, None, None, str(error)) from None


def predict_heatmaps(
    model: Callable[[Tensor], Tensor], crops: Tensor, skeleton: Skeleton, protocol: Protocol, compute: Compute
) -> Tensor:
    """Heatmaps [B, K, h, w] float32 on the CPU of crops [B, h, w, 3] uint8, flip test included.

    Raises:
        FloatingPointError: a heatmap is not finite, as those of a diverged model.
        InputError: the memory is full.
    """
    return finite_on_cpu(_heatmaps_on_device(model, crops, skeleton, protocol, compute))


def predict_heatmaps_both_ways(
    model: Callable[[Tensor], Tensor], crops: Tensor, skeleton: Skeleton, protocol: Protocol, compute: Compute
) -> tuple[Tensor, Tensor]:
    """What `predict_heatmaps` gives without and with the flip test, from two calls of the model in all.

    Args:
        protocol: its flip test is not asked for.

    Raises:
        FloatingPointError, InputError: as `predict_heatmaps`.
    """
    with memory_for("protocol.batch_size", protocol.batch_size), torch.inference_mode(), compute.autocast():
        images = normalise(compute.send(compute.filled(crops, protocol.batch_size)))
        plain, mirrored = model(images), model(images.flip(-1))
        both = mean_with_mirrored(plain, mirrored, skeleton)
    return finite_on_cpu(plain[: len(crops)]), finite_on_cpu(both[: len(crops)])


def finite_on_cpu(heatmaps: Tensor) -> Tensor:
    """Heatmaps of any shape as float32 on the CPU, one after the other in memory.

    Raises:
        FloatingPointError: they are not finite, as those of a diverged model.
    """
    # Those of an inference form are in order already; others are put in order on the device, where a GPU is fast.
    on_cpu = heatmaps.float().contiguous().cpu()
    check_finite(on_cpu, "training has diverged" if heatmaps.dtype != torch.float16 else _OF_FP16)
    return on_cpu


_OF_FP16 = "fp16 ends at 65,504: take bf16 or fp32"


def check_finite(heatmaps: Tensor, cause: str = "training has diverged") -> None:
    """See that heatmaps of any shape are finite.

    Args:
        cause: of numbers that are not.

    Raises:
        FloatingPointError: they are not, as those of a diverged model.
    """
    if not heatmaps.numel():
        return
    # One pass without a copy; `isfinite` takes several, which shows where a person has hundreds of heatmaps.
    lowest, highest = heatmaps.aminmax()
    if not (lowest.isfinite() and highest.isfinite()):
        raise FloatingPointError(f"the model's heatmaps are not finite; {cause}")


def decode_heatmaps(heatmaps: np.ndarray, protocol: Protocol) -> tuple[np.ndarray, np.ndarray]:
    """Points [N, K, 2] in heatmap pixels and scores [N, K] of heatmaps [N, K, h, w], as the protocol says."""
    if protocol.decoder == "argmax":
        return argmax_decode(heatmaps)
    if protocol.decoder == "quarter":
        return quarter_decode(heatmaps)
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
        FloatingPointError, InputError: as `predict_heatmaps`.
    """
    collector = PredictionCollector(skeleton, protocol)
    latest: tuple[EvaluationBatch, Tensor] | None = None
    for batch in batches:
        # A GPU is given its next batch before the host waits for the last one, and computes while that is decoded.
        heatmaps = _heatmaps_on_device(model, batch.crops, skeleton, protocol, compute)
        if latest is not None:
            collector.add(latest[0], finite_on_cpu(latest[1]).numpy())
        latest = batch, heatmaps
    if latest is not None:
        collector.add(latest[0], finite_on_cpu(latest[1]).numpy())
    return collector.predictions()


def _heatmaps_on_device(
    model: Callable[[Tensor], Tensor], crops: Tensor, skeleton: Skeleton, protocol: Protocol, compute: Compute
) -> Tensor:
    with memory_for("protocol.batch_size", protocol.batch_size), torch.inference_mode(), compute.autocast():
        images = normalise(compute.send(compute.filled(crops, protocol.batch_size)))
        heatmaps = flip_test(model, images, skeleton) if protocol.flip_test else model(images)
    return heatmaps[: len(crops)]


def finish_predictions(
    predictions: Predictions, boxes: PersonBoxes, protocol: Protocol, skeleton: Skeleton, suppress: bool = True
) -> PoseResults:
    """Rescore the persons and drop those found twice (paper, section 4.2).

    Args:
        boxes: those that were predicted on; officially, a person's score is the box's times the mean of its keypoints'.
        suppress: False drops nobody and names the person of each box: PCKh wants one prediction of each.

    Returns:
        The persons kept, by image and falling score.
    """
    scores = _person_scores(predictions, boxes, protocol)
    if not suppress or protocol.nms_threshold is None:
        keep = best_scored_first(scores, boxes.image_ids)
    else:
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


def _person_scores(predictions: Predictions, boxes: PersonBoxes, protocol: Protocol) -> np.ndarray:
    """[N] float64."""
    if protocol.score == "box":
        return boxes.scores.astype(np.float64)
    if protocol.score == "keypoints":
        return mean_keypoint_score(predictions.keypoint_scores, protocol.keypoint_threshold)
    return rescore(boxes.scores, predictions.keypoint_scores, protocol.keypoint_threshold)
