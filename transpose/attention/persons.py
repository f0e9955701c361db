"""Persons for the attention analyses: crops, predicted keypoints and annotated keypoints."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from transpose.attention.maps.grid import Grid
from transpose.columns import Columns
from transpose.config.study import EvalProtocol
from transpose.config.variant import Variant
from transpose.data.boxes import ground_truth_boxes
from transpose.data.coco import CocoAnnotations, training_instances
from transpose.data.crops import normalise
from transpose.data.image_source import image_source_of
from transpose.data.loader import EvaluationCrops
from transpose.errors import InputError
from transpose.geometry import box_to_center_scale, crop_affines, rescale_points, transform_points
from transpose.inference.predictions import check_finite, decode_heatmaps
from transpose.models.transpose import TransPose
from transpose.skeleton import Skeleton

MATCH_OKS = 0.5
"""Smallest similarity of a well-predicted keypoint: the OKS threshold of AP50, for a single keypoint."""


@dataclass(frozen=True)
class GroundTruth(Columns):
    """Annotations of P persons, in crop pixels."""

    image_ids: np.ndarray
    """[P] int64."""
    annotation_ids: np.ndarray
    """[P] int64."""
    affines: np.ndarray
    """[P, 2, 3], from image to crop pixels."""
    keypoints_xy: np.ndarray
    """[P, K, 2] float64, crop pixels; undefined where not labelled."""
    visibility: np.ndarray
    """[P, K] int64: 0 not labelled, 1 occluded, 2 visible."""
    areas: np.ndarray
    """[P] float64: area of the person's mask in square crop pixels, the scale of OKS."""

    def similarity(self, points_xy: np.ndarray, skeleton: Skeleton) -> np.ndarray:
        """Return the keypoint similarity [P, ..., K] of points [P, ..., K, 2] in crop pixels; OKS is its mean.

        exp(-d^2 / (2 area (2 sigma)^2)), as in the COCO evaluation; 0 where the keypoint is not labelled.
        """
        between = (1,) * (points_xy.ndim - 3)
        truth = self.keypoints_xy.reshape(len(self), *between, *self.keypoints_xy.shape[1:])
        labelled = self.visibility.reshape(len(self), *between, -1) > 0
        areas = self.areas.reshape(len(self), *between, 1)
        squared = ((points_xy - truth) ** 2).sum(axis=-1)
        exponents = squared / (2 * (areas + np.spacing(1)) * (2 * skeleton.oks_sigmas) ** 2)
        return np.where(labelled, np.exp(-exponents), 0.0)

    def similarity_of(self, keypoints: np.ndarray, points_xy: np.ndarray, skeleton: Skeleton) -> np.ndarray:
        """Return `similarity` [..., J] of some keypoints [J] at points [..., J, 2]; for one person only."""
        all_points = np.zeros((1, *points_xy.shape[:-2], len(skeleton), 2))
        all_points[..., keypoints, :] = points_xy
        return self.similarity(all_points, skeleton)[0][..., keypoints]


@dataclass(frozen=True)
class FoundKeypoints:
    """Keypoints of B persons predicted by a model's unflipped pass."""

    points_xy: np.ndarray
    """[B, K, 2] float64, crop pixels."""
    peaks: np.ndarray
    """[B, K] float32: maxima of the heatmaps."""
    peak_cells: np.ndarray
    """[B, K] int64: heatmap pixel of each maximum, y * width + x."""


@dataclass(frozen=True)
class PersonBatch:
    """B persons of a `GroundTruth`."""

    index: np.ndarray
    """[B] int64: positions in the `GroundTruth`."""
    crops: Tensor
    """[B, H, W, 3] uint8 RGB."""

    def images(self, device: torch.device) -> Tensor:
        """Return normalised images [B, 3, H, W] for the model."""
        return normalise(self.crops.to(device))


class ExplainedPersons:
    """Annotated persons in annotated boxes; without flip test, because the mirrored pass has different attention."""

    def __init__(self, annotations: CocoAnnotations, variant: Variant, limit: int | None = None, seed: int = 0) -> None:
        """Choose the persons.

        Args:
            limit: maximum number of persons, drawn with `seed`; all by default.

        Raises:
            InputError: no person is annotated with keypoints.
        """
        boxes = ground_truth_boxes(annotations)
        if not len(boxes):
            raise InputError(annotations.source, None, "annotations", "no person with keypoints to explain")
        drawn = _drawn(len(boxes), limit, seed)
        chosen = np.sort(drawn)
        self.draw_order = np.argsort(drawn)
        """[P] int64: position of each person in the draw; the persons below n are those that a limit of n draws."""
        boxes = boxes.select(chosen)
        self.truth = crop_truth(annotations, variant).select(chosen)
        self._crops = EvaluationCrops(boxes, annotations, image_source_of(annotations.source), variant.input_size)

    def __len__(self) -> int:
        return len(self.truth)

    def batches(self, batch_size: int) -> Iterator[PersonBatch]:
        """Yield all persons in batches; the last one can be smaller.

        Raises:
            InputError: an image is missing or broken.
        """
        for batch in self._crops.batches(batch_size):
            yield PersonBatch(batch.index, batch.crops)


def crop_truth(annotations: CocoAnnotations, variant: Variant) -> GroundTruth:
    """Return the ground truth of all persons of `ground_truth_boxes`, in its order."""
    persons, boxes = training_instances(annotations), ground_truth_boxes(annotations)
    center, scale = box_to_center_scale(boxes.boxes_xywh, variant.input_size)
    affines = crop_affines(center, scale, np.zeros(len(boxes)), variant.input_size)
    return GroundTruth(
        image_ids=boxes.image_ids,
        annotation_ids=boxes.annotation_ids,
        affines=affines,
        keypoints_xy=transform_points(affines[:, None], persons.keypoints[:, :, :2]),
        visibility=persons.keypoints[:, :, 2].astype(np.int64),
        areas=persons.areas * affines[:, 0, 0] ** 2,
    )


def locate_keypoints(heatmaps: Tensor, grid: Grid, protocol: EvalProtocol) -> FoundKeypoints:
    """Decode heatmaps [B, K, h, w] of one pass with the protocol's decoder, to crop pixels."""
    maps = heatmaps.float().cpu().numpy()
    points, peaks = decode_heatmaps(maps, protocol)
    cells = maps.reshape(*maps.shape[:2], -1).argmax(axis=2)
    return FoundKeypoints(rescale_points(points, grid.heatmap_size, grid.input_size), peaks, cells)


def heatmaps_of(model: TransPose, encoded: Tensor) -> Tensor:
    """Predict heatmaps [B, K, h, w] float32 from encoded features [B, dim, h, w].

    Raises:
        FloatingPointError: they are not finite, for example because training has diverged.
    """
    heatmaps = model.predict_heatmaps(encoded).float()
    check_finite(heatmaps)
    return heatmaps


def _drawn(count: int, limit: int | None, seed: int) -> np.ndarray:
    """Return [n] int64: drawn persons in the order of the draw; a larger limit only appends persons."""
    return np.random.default_rng(seed).permutation(count)[:limit]
