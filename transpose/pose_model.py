"""The pose model for prediction and attention maps, used in notebooks and by the workflow."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from transpose.attention.maps.capture import capture
from transpose.attention.maps.dependency import AttentionAreas, encoder_of, explain_persons
from transpose.attention.maps.grid import Grid
from transpose.attention.maps.stored import PersonAreas, person_areas
from transpose.codec.decode import decode_heatmaps
from transpose.config.load import read_record
from transpose.config.placement import OF_THIS_PROCESS, Placement
from transpose.config.recipe import Recipe
from transpose.config.run_record import RunRecord
from transpose.config.study import EvalProtocol
from transpose.config.training import Dtype
from transpose.config.variant import Variant
from transpose.data.any_image import AnyImage, read_any_image
from transpose.data.boxes import PersonBoxes
from transpose.data.coco import CocoAnnotations
from transpose.data.image_boxes import boxes_in_image, crop_boxes
from transpose.data.image_source import image_source_of
from transpose.data.loader import EvaluationBatch, EvaluationCrops
from transpose.data.normalise import normalise
from transpose.data.workers import slices
from transpose.device import DeviceContext, resolve_device
from transpose.errors import InputError
from transpose.geometry import crop_affines, rescale_points, transform_points
from transpose.inference.finite import finite_on_cpu
from transpose.inference.poses import PoseResults, Poses
from transpose.inference.predictions import (
    PredictionCollector,
    Predictions,
    finish_predictions,
    finite_heatmaps_of,
    person_scores,
)
from transpose.inference.runtime import NetworkRuntime, heatmaps_by, heatmaps_of, torch_runtime
from transpose.memory import memory_for
from transpose.models.optimize import optimize_for_inference
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.models.weights import load_weights
from transpose.replay import Work, graph_capture, replayed, with_own_results
from transpose.skeleton import Skeleton
from transpose.study.layout import RunFolder


@dataclass(frozen=True)
class CropKeypoints:
    """Predicted keypoints of P crops."""

    points_xy: np.ndarray
    """[P, K, 2] float64, crop pixels."""
    scores: np.ndarray
    """[P, K] float32: the heatmaps' maxima."""


@dataclass(frozen=True)
class AttentionMaps:
    """Attention of the keypoints of N persons in one encoder layer, averaged over heads, on a grid of h x w cells."""

    poses: Poses
    dependency: np.ndarray
    """[N, K, h, w] float32: attention from a keypoint's cell to each cell of the crop; each map sums to 1."""
    affected: np.ndarray
    """[N, K, h, w] float32: attention from each cell of the crop to the keypoint's cell."""
    crops: np.ndarray
    """[N, H, W, 3] uint8 RGB: the crops that the grid covers."""


@dataclass(frozen=True)
class PoseModel:
    """A network with its recipe, skeleton, evaluation protocol and device."""

    network: TransPose
    """In evaluation mode."""
    recipe: Recipe
    skeleton: Skeleton
    protocol: EvalProtocol
    context: DeviceContext
    weights: Path
    """File of the weights, or the folder of a training in progress; named when heatmaps are not finite."""
    runtime: NetworkRuntime
    """Library that computes heatmaps; attention maps always come from `network`. See `export.runtime`."""

    @classmethod
    def from_run(cls, run: Path, placement: Placement = OF_THIS_PROCESS) -> "PoseModel":
        """Load the model of a run folder or run.json, with the protocol of the run's study, in PyTorch.

        Raises:
            InputError: run.json or the weights are missing or wrong, or the machine lacks the device.
        """
        files = RunFolder(run if run.is_dir() else run.parent)
        record = read_record(RunRecord, files.record if run.is_dir() else run)
        recipe, protocol = placement.of_recipe(record.recipe), placement.of_protocol(record.protocol)
        return cls.from_weights(recipe, files.weights, record.skeleton, protocol)

    @classmethod
    def from_weights(
        cls,
        recipe: Recipe,
        weights: Path,
        skeleton: Skeleton,
        protocol: EvalProtocol,
        dtype: Dtype | None = None,
        compiled: bool | None = None,
    ) -> "PoseModel":
        """Load weights into a recipe's variant, optimised for inference, on the device of the recipe.

        Args:
            dtype: None uses that of the protocol, or else of the training.
            compiled: None uses the protocol's value.

        Raises:
            InputError: the weights are missing or do not fit, or the machine lacks the device, dtype or compiler.
        """
        training = recipe.training
        context = resolve_device(
            training.device,
            dtype or protocol.dtype or training.dtype,
            protocol.threads,
            protocol.compile if compiled is None else compiled,
        )
        network = build_model(recipe.variant, len(skeleton))
        load_weights(network, weights)
        runtime = torch_runtime(context, attends=recipe.variant.encoder is not None)
        return cls(optimize_for_inference(network, context), recipe, skeleton, protocol, context, weights, runtime)

    @property
    def variant(self) -> Variant:
        """The variant of the recipe."""
        return self.recipe.variant

    @property
    def grid(self) -> Grid:
        """The grid of cells that attention is computed between."""
        return Grid.of(self.variant)

    def predict(self, image: AnyImage, boxes: ArrayLike | None = None) -> Poses:
        """Predict the poses of persons in boxes by the protocol, without suppression: each box keeps its pose.

        Args:
            image: a file or PIL image, read as it is displayed (EXIF orientation applied), or [H, W, 3] uint8 RGB.
            boxes: [N, 4] x, y, width, height in image pixels; None uses the whole image as one box.

        Raises:
            InputError: the image or a box is wrong, a box is outside of the image, or the model has diverged.
        """
        return self.predict_batch([image], [boxes])[0]

    def predict_batch(self, images: Iterable[AnyImage], boxes: Iterable[ArrayLike | None] | None = None) -> list[Poses]:
        """Predict the poses in several images, as `predict` does; persons of different images share batches.

        Args:
            images: read one after another; their crops are kept, 200 KB per person of 256 x 192 pixels.
            boxes: of each image, as `predict`; None uses each whole image as one box.

        Raises:
            InputError: as `predict`.
            ValueError: `boxes` has not as many entries as there are images.
        """
        pairs = zip(images, repeat(None), strict=False) if boxes is None else zip(images, boxes, strict=True)
        parts: list[EvaluationBatch] = []
        given: list[np.ndarray] = []
        for image, boxes_of_image in pairs:
            pixels, name = read_any_image(image)
            given.append(boxes_in_image(boxes_of_image, pixels, name))
            crops = crop_boxes(pixels, given[-1], self.variant.input_size, np.arange(len(given[-1])))
            parts.append(EvaluationBatch.of(crops))
        if not parts:
            return []
        poses = self.predict_crops(EvaluationBatch.join(parts), np.concatenate(given))
        ends = np.cumsum([len(one) for one in given])
        return [poses.select(rows) for rows in np.split(np.arange(len(poses)), ends[:-1])]

    def predict_crops(self, crops: EvaluationBatch, boxes: np.ndarray) -> Poses:
        """Predict the poses in crops of the variant's input size, by the protocol.

        Args:
            crops: one of each box.
            boxes: [N, 4] x, y, width, height in image pixels.

        Raises:
            InputError: the model has diverged.
        """
        parts = slices(np.arange(len(boxes)), self.protocol.batch_size)
        found = self.predict_keypoints(crops.select(part) for part in parts)
        scores = person_scores(found, np.ones(len(boxes)), self.protocol)
        return Poses(self.skeleton, found.keypoints_xy, found.keypoint_scores, scores, boxes)

    def attention(self, image: AnyImage, boxes: ArrayLike | None = None, layer: int = -1) -> AttentionMaps:
        """Compute dependency and affected areas of the predicted keypoints, in fp32, on the unflipped crop.

        Args:
            image: as `predict`.
            boxes: as `predict`.
            layer: index of the encoder layer; 0 is the first and -1 the last.

        Raises:
            InputError: as `predict`, or the model has no encoder or not this layer.
        """
        layers = encoder_of(self.variant).layers
        if not -layers <= layer < layers:
            raise InputError(f"{layer} is not one of the encoder's {layers}", file=self.variant.title, field="layer")
        pixels, name = read_any_image(image)
        given = boxes_in_image(boxes, pixels, name)
        poses, plain = self.predict(pixels, given), self.in_fp32()
        crops, _, points_xy = self.crop_persons(pixels, poses)
        maps = plain.explain(crops, points_xy)
        shape = (len(given), len(self.skeleton), *self.grid.size)
        return AttentionMaps(
            poses,
            maps.dependency[:, layer].reshape(shape),
            maps.affected[:, layer].reshape(shape),
            crops.numpy(),
        )

    def crop_persons(self, pixels: np.ndarray, poses: Poses) -> tuple[Tensor, np.ndarray, np.ndarray]:
        """Crop the persons predicted in an image to the network's input.

        Args:
            pixels: [H, W, 3] uint8 RGB.

        Returns:
            Crops [N, H, W, 3] uint8 RGB, affines [N, 2, 3] from image to crop pixels, and keypoints [N, K, 2] in crop
            pixels.
        """
        size, persons = self.variant.input_size, len(poses)
        batch = crop_boxes(pixels, poses.boxes, size, np.arange(persons))
        affines = crop_affines(batch.center, batch.scale, np.zeros(persons), size)
        return torch.from_numpy(batch.crops), affines, transform_points(affines[:, None], poses.xy)

    def in_fp32(self) -> "PoseModel":
        """Return the model in fp32 and not compiled, for analyses of the network's layers.

        Raises:
            InputError: the weights no longer exist.
        """
        if self.context.dtype == "fp32" and not self.context.compiled:
            return self
        return PoseModel.from_weights(
            self.recipe, self.weights, self.skeleton, self.protocol, dtype="fp32", compiled=False
        )

    def predict_boxes(
        self,
        boxes: PersonBoxes,
        annotations: CocoAnnotations,
        input_size: tuple[int, int] | None = None,
        suppress: bool = True,
    ) -> PoseResults:
        """Predict the persons in boxes of a data set by the full protocol (paper, section 4.2).

        Args:
            input_size: (height, width) of the crops; the variant's if None.
            suppress: see `finish_predictions`.

        Raises:
            InputError: an image is missing or broken, a box is in an unknown image, or the model has diverged.
        """
        crops = EvaluationCrops(
            boxes, annotations, image_source_of(annotations.source), input_size or self.variant.input_size
        )
        predictions = self.predict_keypoints(self.batches(crops))
        return finish_predictions(predictions, boxes, self.protocol, self.skeleton, suppress)

    def batches(self, crops: EvaluationCrops) -> Iterable[EvaluationBatch]:
        """Return batches of all crops, with the protocol's batch size and the recipe's number of workers.

        Raises:
            InputError: an image is missing or broken.
        """
        return crops.batches(self.protocol.batch_size, self.recipe.training.workers, self.context.pins_memory)

    def predict_keypoints(self, batches: Iterable[EvaluationBatch]) -> Predictions:
        """Predict keypoints of all crops, decoded as in the protocol.

        Args:
            batches: crops of all boxes, each box once, in any order.

        Raises:
            InputError: the model has diverged, or the memory is full.
        """
        collector = PredictionCollector(self.skeleton, self.protocol)
        latest: tuple[EvaluationBatch, Tensor] | None = None
        for batch in batches:
            # The next batch is sent before waiting for the last one, so that the GPU computes while the CPU decodes.
            heatmaps = self._heatmaps_on_device(batch.crops, self.protocol.flip_test)[-1]
            if latest is not None:
                collector.add(latest[0], self._on_cpu(latest[1]).numpy())
            latest = batch, heatmaps
        if latest is not None:
            collector.add(latest[0], self._on_cpu(latest[1]).numpy())
        return collector.predictions()

    def predict_heatmaps(self, crops: Tensor) -> Tensor:
        """Predict heatmaps [B, K, h, w] float32 on the CPU of crops [B, H, W, 3] uint8 RGB, by the protocol.

        Raises:
            InputError: the model has diverged, or the memory is full.
        """
        return self._on_cpu(self._heatmaps_on_device(crops, self.protocol.flip_test)[-1])

    def predict_heatmaps_both_ways(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """Return the heatmaps of `predict_heatmaps` without and with the flip test, from two passes.

        Raises:
            InputError: as `predict_heatmaps`.
        """
        plain, averaged = self._heatmaps_on_device(crops, flip_test=True)
        return self._on_cpu(plain), self._on_cpu(averaged)

    def find_keypoints(self, crops: Tensor) -> CropKeypoints:
        """Predict keypoints in crops [P, H, W, 3] uint8 RGB, by the protocol.

        Raises:
            InputError: as `predict_heatmaps`.
        """
        heatmaps = [self.predict_heatmaps(batch) for batch in crops.split(self.protocol.batch_size)]
        return self.decode(torch.cat(heatmaps).numpy())

    def decode(self, heatmaps: np.ndarray) -> CropKeypoints:
        """Decode heatmaps [P, K, h, w] float32 to keypoints in crop pixels, by the protocol."""
        points, scores = decode_heatmaps(heatmaps, self.protocol)
        return CropKeypoints(rescale_points(points, self.grid.heatmap_size, self.grid.input_size), scores)

    def explain(self, crops: Tensor, points_xy: np.ndarray, mirrored: bool = False) -> AttentionAreas:
        """Compute areas of keypoints [P, K, 2], crop pixels, in all layers; see `explain_persons`."""
        self.context.set_tf32()
        images = normalise(crops.to(self.context.device))
        return explain_persons(self.network, self.variant, images, points_xy, mirrored=mirrored)

    @torch.inference_mode()
    def cell_areas(self, crop: Tensor, points_xy: np.ndarray) -> PersonAreas:
        """Compute all areas of one person, unflipped: crop [H, W, 3] uint8 RGB, keypoints [K, 2] in crop pixels."""
        self.context.set_tf32()
        images = normalise(crop[None].to(self.context.device))
        _, layers = capture(self.network, self.network.features(images))
        queries = torch.from_numpy(self.grid.tokens_at(points_xy)).to(images.device)
        return person_areas(layers, queries, self.grid)

    def _heatmaps_on_device(self, crops: Tensor, flip_test: bool) -> list[Tensor]:
        """Return the heatmaps of the crops and, with the flip test, their mean with those of the mirrored crops."""
        if self.runtime.heatmaps is not None:
            return heatmaps_by(self.runtime.heatmaps, crops, self.skeleton if flip_test else None)
        size = self.protocol.batch_size
        with memory_for("protocol.batch_size", size), torch.inference_mode():
            heatmaps = self._passes[flip_test](self.context.pad_batch(crops, size))
        return [one[: len(crops)] for one in heatmaps if one is not None]

    @cached_property
    def _passes(self) -> Mapping[bool, Work]:
        """Forward passes of crops [B, H, W, 3] uint8 RGB, without and with the flip test; replayed on a GPU."""
        return {
            flip: with_own_results(
                replayed(
                    partial(heatmaps_of, self.network, self.context, self.skeleton if flip else None),
                    self.context.device,
                    graph_capture(self.context),
                )
            )
            for flip in (False, True)
        }

    def _on_cpu(self, heatmaps: Tensor) -> Tensor:
        with finite_heatmaps_of(self.weights):
            return finite_on_cpu(heatmaps)
