"""Persons for the attention analyses: crops, predicted and annotated keypoints, and the model's outputs for them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from transpose.attention.maps.capture import LayerAttention, capture
from transpose.attention.maps.grid import Grid
from transpose.columns import Columns
from transpose.config.variant import Variant
from transpose.data.boxes import ground_truth_boxes
from transpose.data.coco import CocoAnnotations, training_instances
from transpose.data.image_source import image_source_of
from transpose.data.loader import EvaluationBatch, EvaluationCrops
from transpose.data.normalise import normalise
from transpose.errors import InputError
from transpose.geometry import box_to_center_scale, crop_affines, transform_points
from transpose.inference.finite import check_finite
from transpose.models.transpose import TransPose
from transpose.pose_model import PoseModel
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

    def neighbourhoods(self, grid: Grid, reach: float) -> np.ndarray:
        """Return [P, K, L] bool: the cells near labelled keypoints; see `neighbourhoods`."""
        return neighbourhoods(grid, self.keypoints_xy, reach) & (self.visibility > 0)[..., None]

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
    peak_cells: np.ndarray
    """[B, K] int64: heatmap pixel of each maximum, y * width + x."""


@dataclass(frozen=True)
class ExplainedPerson:
    """One person, the model's outputs for its unflipped crop, and the J keypoints to explain."""

    crop: np.ndarray
    """[H, W, 3] uint8 RGB."""
    features: Tensor
    """[dim, h, w]: input of the encoder."""
    layers: Sequence[LayerAttention]
    """Attention of each layer, for a batch of one."""
    heatmaps: np.ndarray
    """[K, h, w] float32."""
    found: FoundKeypoints
    """Predicted keypoints, for a batch of one."""
    keypoints: np.ndarray
    """[J] int64: indices of the keypoints to explain."""
    queries: np.ndarray
    """[J] int64: tokens of the cells that contain the predicted keypoints."""

    @property
    def points_xy(self) -> np.ndarray:
        """[J, 2] float64: predicted keypoints, crop pixels."""
        return self.found.points_xy[0, self.keypoints]

    @property
    def peak_cells(self) -> np.ndarray:
        """[J] int64: heatmap pixel of each maximum, y * width + x."""
        return self.found.peak_cells[0, self.keypoints]


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
            raise InputError("no person with keypoints to explain", file=annotations.source, field="annotations")
        drawn = _drawn(len(boxes), limit, seed)
        chosen = np.sort(drawn)
        self.draw_order = np.argsort(drawn)
        """[P] int64: position of each person in the draw; the persons below n are those that a limit of n draws."""
        boxes = boxes.select(chosen)
        self.truth = crop_truth(annotations, variant).select(chosen)
        self._crops = EvaluationCrops(boxes, annotations, image_source_of(annotations.source), variant.input_size)

    def __len__(self) -> int:
        return len(self.truth)

    def batches(self, batch_size: int) -> Iterable[EvaluationBatch]:
        """Return all persons in batches; the last one can be smaller.

        Raises:
            InputError: an image is missing or broken.
        """
        return self._crops.batches(batch_size)


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


def neighbourhoods(grid: Grid, keypoints_xy: np.ndarray, reach: float) -> np.ndarray:
    """Return [P, K, L] bool: the cells near keypoints [P, K, 2] in crop pixels.

    These are the keypoint's own cell and all cells with their centre within `reach` crop widths, the same area for
    every grid size. A keypoint outside the crop has no cells.
    """
    offsets = keypoints_xy[..., None, :] - grid.centres()
    near = np.hypot(offsets[..., 0], offsets[..., 1]) <= reach * grid.input_size[1]
    own = grid.tokens_at(keypoints_xy)[..., None] == np.arange(grid.tokens)
    inside = np.all((keypoints_xy >= 0) & (keypoints_xy <= np.array(grid.input_size[::-1]) - 1), axis=-1, keepdims=True)
    return (near | own) & inside


@torch.inference_mode()
def explain_instance(model: PoseModel, crop: Tensor, well_found: Callable[[np.ndarray], np.ndarray]) -> ExplainedPerson:
    """Run the model on one person and keep the data that attributions need.

    Args:
        crop: [H, W, 3] uint8.
        well_found: maps points [1, K, 2] in crop pixels to [1, K] bool, the keypoints to explain.

    Raises:
        FloatingPointError: a heatmap is not finite.
    """
    features = model.network.features(normalise(model.context.send(crop[None])))
    encoded, layers = capture(model.network, features)
    heatmaps = heatmaps_of(model.network, encoded).cpu()
    found = locate_keypoints(model, heatmaps)
    keypoints = np.flatnonzero(well_found(found.points_xy)[0])
    queries = model.grid.tokens_at(found.points_xy[0, keypoints])
    return ExplainedPerson(crop.numpy(), features[0], layers, heatmaps[0].numpy(), found, keypoints, queries)


def evaluated_instances(
    model: PoseModel, persons: ExplainedPersons
) -> Iterator[tuple[int, ExplainedPerson, GroundTruth]]:
    """Yield (index, person, ground truth of this person) for persons with at least one well-predicted keypoint.

    The well-predicted keypoints (similarity of at least `MATCH_OKS`) are the ones to explain.

    Raises:
        InputError: an image is missing or broken.
        FloatingPointError: a heatmap is not finite.
    """
    for batch in persons.batches(model.protocol.batch_size):
        for index, crop in zip(batch.index.tolist(), batch.crops, strict=True):
            truth = persons.truth.select(np.array([index]))

            def well_found(points_xy: np.ndarray, truth: GroundTruth = truth) -> np.ndarray:
                return truth.similarity(points_xy, model.skeleton) >= MATCH_OKS

            person = explain_instance(model, crop, well_found)
            if len(person.keypoints):
                yield index, person, truth


def locate_keypoints(model: PoseModel, heatmaps: Tensor) -> FoundKeypoints:
    """Decode heatmaps [B, K, h, w] of one pass with the protocol's decoder, to crop pixels."""
    maps = heatmaps.float().cpu().numpy()
    cells = maps.reshape(*maps.shape[:2], -1).argmax(axis=2)
    return FoundKeypoints(model.decode(maps).points_xy, cells)


def heatmaps_of(model: TransPose, encoded: Tensor) -> Tensor:
    """Predict heatmaps [B, K, h, w] float32 from encoded features [B, dim, h, w].

    Raises:
        FloatingPointError: they are not finite, for example because training has diverged.
    """
    heatmaps = model.predict_heatmaps(encoded).float()
    check_finite(heatmaps)
    return heatmaps


def random_cells_of(truth: GroundTruth, seed: int) -> np.random.Generator:
    """Return the random generator of one person; it does not depend on which other persons are evaluated."""
    return np.random.default_rng((seed, int(truth.annotation_ids[0])))


def _drawn(count: int, limit: int | None, seed: int) -> np.ndarray:
    """Return [n] int64: drawn persons in the order of the draw; a larger limit only appends persons."""
    return np.random.default_rng(seed).permutation(count)[:limit]
