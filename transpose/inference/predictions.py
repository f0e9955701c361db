"""From finite heatmaps to persons: keypoints in image pixels, scores, and suppression."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from transpose.codec.decode import decode_heatmaps
from transpose.config.study import EvalProtocol
from transpose.data.boxes import PersonBoxes
from transpose.errors import InputError
from transpose.geometry import PIXELS_PER_SCALE_UNIT, heatmap_to_image
from transpose.inference.nms import best_scored_first, mean_keypoint_score, oks_nms, rescore
from transpose.inference.poses import PoseResults
from transpose.skeleton import Skeleton


class CropFrames(Protocol):
    """The frames of B crops in their images."""

    @property
    def center(self) -> np.ndarray:
        """[B, 2] float64, image pixels."""
        ...

    @property
    def scale(self) -> np.ndarray:
        """[B, 2] float64, units of 200 image pixels."""
        ...

    @property
    def index(self) -> np.ndarray:
        """[B] int64: positions in the order of the boxes."""
        ...


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
    """Decodes heatmaps batch by batch, in any order, and collects the keypoints."""

    def __init__(self, skeleton: Skeleton, protocol: EvalProtocol) -> None:
        self._protocol = protocol
        self._index = [np.zeros(0, dtype=np.int64)]
        self._points = [np.zeros((0, len(skeleton), 2))]
        self._scores = [np.zeros((0, len(skeleton)))]
        self._areas = [np.zeros(0)]

    def add(self, frames: CropFrames, heatmaps: np.ndarray) -> None:
        """Decode the heatmaps [B, K, h, w] of a batch."""
        points, heights = decode_heatmaps(heatmaps, self._protocol)
        self.add_decoded(frames, points, heights, (heatmaps.shape[2], heatmaps.shape[3]))

    def add_decoded(
        self, frames: CropFrames, points: np.ndarray, scores: np.ndarray, heatmap_size: tuple[int, int]
    ) -> None:
        """Add decoded points [B, K, 2], heatmap pixels, with scores [B, K]."""
        self._index.append(frames.index)
        self._points.append(heatmap_to_image(points, frames.center, frames.scale, heatmap_size))
        self._scores.append(scores.astype(np.float64))
        self._areas.append((frames.scale * PIXELS_PER_SCALE_UNIT).prod(axis=1))

    def predictions(self) -> Predictions:
        """Return the predictions so far, in the order of the boxes."""
        order = np.argsort(np.concatenate(self._index))
        return Predictions(
            keypoints_xy=np.concatenate(self._points)[order],
            keypoint_scores=np.concatenate(self._scores)[order],
            areas=np.concatenate(self._areas)[order],
        )


def finish_predictions(
    predictions: Predictions, boxes: PersonBoxes, protocol: EvalProtocol, skeleton: Skeleton, suppress: bool = True
) -> PoseResults:
    """Rescore the persons and suppress duplicates (paper, section 4.2).

    Args:
        boxes: the boxes of the predictions. The official person score is box score times mean keypoint score.
        suppress: False keeps all persons and adds their annotation ids; PCKh needs one prediction per person.

    Returns:
        The remaining persons, by image and descending score.
    """
    scores = person_scores(predictions, boxes.scores, protocol)
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


def person_scores(predictions: Predictions, box_scores: np.ndarray, protocol: EvalProtocol) -> np.ndarray:
    """Compute person scores [N] float64 from predictions and box scores [N]."""
    if protocol.score == "box":
        return box_scores.astype(np.float64)
    if protocol.score == "keypoints":
        return mean_keypoint_score(predictions.keypoint_scores, protocol.keypoint_threshold)
    return rescore(box_scores, predictions.keypoint_scores, protocol.keypoint_threshold)


@contextmanager
def finite_heatmaps_of(source: Path) -> Iterator[None]:
    """Context manager: report heatmaps that are not finite as an error in `source`, the weights or the run folder.

    Raises:
        InputError: a heatmap is not finite.
    """
    try:
        yield
    except FloatingPointError as error:
        raise InputError(str(error), file=source) from None
