"""A trained variant that is asked what it finds in crops, and why."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from transpose.attention.capture import capture
from transpose.attention.dependency import Explanation, encoder_of, explain_persons
from transpose.attention.grid import Grid
from transpose.attention.stored import PersonAreas, person_areas
from transpose.config.recipe import Recipe
from transpose.config.study import Protocol
from transpose.data.crops import normalise
from transpose.evaluation.pipeline import load_to_explain
from transpose.evaluation.predict import decode_heatmaps, finite_heatmaps_of, predict_heatmaps
from transpose.geometry import rescale_points
from transpose.skeleton import Skeleton


@dataclass(frozen=True)
class Keypoints:
    """Predicted keypoints of P persons."""

    points_xy: np.ndarray
    """[P, K, 2] float64, crop pixels."""
    scores: np.ndarray
    """[P, K] float32: the heatmaps' maxima."""


class TrainedModel:
    """A variant with an encoder and its weights, in full precision."""

    def __init__(self, recipe: Recipe, weights: Path, skeleton: Skeleton, protocol: Protocol) -> None:
        """Load the weights.

        Raises:
            InputError: the variant has no encoder, or the weights are missing or do not fit.
        """
        self.encoder = encoder_of(recipe.variant)
        self.recipe = recipe
        self.variant = recipe.variant
        self.grid = Grid.of(recipe.variant)
        self._weights, self._skeleton, self._protocol = weights, skeleton, protocol
        self._model, self._compute = load_to_explain(recipe, weights, skeleton, protocol)

    def keypoints(self, crops: Tensor) -> Keypoints:
        """The protocol's prediction, flip test included, on crops [P, H, W, 3] uint8 RGB.

        Raises:
            InputError: the weights are of a model that has diverged.
        """
        with finite_heatmaps_of(self._weights):
            batches = [
                predict_heatmaps(self._model, batch, self._skeleton, self._protocol, self._compute)
                for batch in crops.split(self._protocol.batch_size)
            ]
        points, scores = decode_heatmaps(torch.cat(batches).numpy(), self._protocol)
        return Keypoints(rescale_points(points, self.grid.heatmap_size, self.grid.input_size), scores)

    def explanation(self, crops: Tensor, keypoints: Keypoints, mirrored: bool = False) -> Explanation:
        """Areas of the keypoints in one pass, see `explain_persons`."""
        images = normalise(crops.to(self._compute.device))
        return explain_persons(self._model, self.variant, images, keypoints.points_xy, mirrored=mirrored)

    @torch.inference_mode()
    def areas(self, crop: Tensor, points_xy: np.ndarray) -> PersonAreas:
        """All areas of one person in the unflipped pass: crop [H, W, 3] uint8 RGB, keypoints [K, 2] in its pixels."""
        images = normalise(crop[None].to(self._compute.device))
        _, layers = capture(self._model, self._model.features(images))
        return person_areas(layers, torch.from_numpy(self.grid.tokens_at(points_xy)).to(images.device), self.grid)
