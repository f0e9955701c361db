"""Attention statistics over a data set: attention of keypoints to other keypoints and bodies, distance and entropy.

A keypoint's query is the cell of its unflipped prediction; the positions of the other keypoints are the annotated ones.
Occluded and visible keypoints are separate. Means are over keypoints of all persons, intervals over images.
"""

from collections.abc import Iterable
from typing import get_args

import numpy as np
import torch

from transpose.attention.maps.capture import LayerAttention, capture
from transpose.attention.persons import ExplainedPersons, FoundKeypoints, GroundTruth, heatmaps_of, locate_keypoints
from transpose.attention.records import Visibility
from transpose.attention.regions import BACKGROUND, OTHER, OWN, Regions
from transpose.data.loader import EvaluationBatch
from transpose.data.normalise import normalise
from transpose.pose_model import PoseModel

VISIBILITIES: tuple[Visibility, ...] = get_args(Visibility)
"""In the order of the annotations' values, 1 and 2."""

MEASURES = (
    "near",
    "partner",
    "relatives",
    "near_lift",
    "partner_lift",
    "relatives_lift",
    "own_body",
    "other_people",
    "background",
    "own_body_lift",
    "distance",
    "distance_in_heights",
    "entropy",
)
"""Measures of one keypoint's attention; NaN where undefined.

`near`, `partner`, `relatives`: attention mass on the neighbourhoods of the keypoint itself, of its left/right partner,
and of the keypoints connected to it by a limb. `own_body`, `other_people`, `background`: attention mass on the person,
on others and on the rest. `*_lift`: the mass in multiples of uniform attention. `distance`, `distance_in_heights`: mean
distance from the query in cells and in crop heights. `entropy`: entropy relative to uniform attention.
"""


class Tally:
    """Sums and counts for each of I images, by layer, head (the last is their mean) and visibility."""

    def __init__(self, image_ids: np.ndarray, layers: int, heads: int, keypoints: int) -> None:
        self.images = np.unique(image_ids)
        """[I] int64."""
        groups = (len(self.images), layers, heads + 1, len(VISIBILITIES))
        self.sums = np.zeros((*groups, len(MEASURES)))
        self.counts = np.zeros((*groups, len(MEASURES)))
        self.mass = np.zeros((*groups, keypoints, keypoints), dtype=np.float32)
        """Attention of keypoint i (row) to the neighbourhood of keypoint j (column)."""
        self.lift = np.zeros_like(self.mass)
        """`mass` in multiples of uniform attention."""
        self.without_mask = 0
        """Persons without a mask."""
        self.pairs = np.zeros((len(self.images), len(VISIBILITIES), keypoints, keypoints), dtype=np.int64)

    def add(self, image: int, layer: int, visibility: np.ndarray, values: np.ndarray) -> None:
        """Add a person's values [heads + 1, K, M], grouped by the visibility [K] of its keypoints."""
        place = np.searchsorted(self.images, image)
        finite = np.isfinite(values)
        for group in range(len(VISIBILITIES)):
            chosen = (visibility == group + 1)[None, :, None] & finite
            self.sums[place, layer, :, group] += np.where(chosen, values, 0.0).sum(axis=1)
            self.counts[place, layer, :, group] += chosen.sum(axis=1)

    def add_pairs(
        self, image: int, layer: int, visibility: np.ndarray, mass: np.ndarray, lift: np.ndarray, known: np.ndarray
    ) -> None:
        """Add a person's matrices [heads + 1, K, K]; known [K] marks keypoints with a neighbourhood."""
        place = np.searchsorted(self.images, image)
        for group in range(len(VISIBILITIES)):
            pairs = (visibility == group + 1)[:, None] & known
            self.mass[place, layer, :, group] += np.where(pairs, mass, 0.0)
            self.lift[place, layer, :, group] += np.where(pairs, lift, 0.0)
            # All layers have the same pairs, so count them once.
            self.pairs[place, group] += pairs if layer == 0 else 0


class AttentionStatistics:
    """Computes the attention statistics of one trained model."""

    def __init__(self, model: PoseModel, reach: float) -> None:
        self._model = model
        self._grid = model.grid
        self._reach = reach
        mirrored = model.skeleton.mirror_matrix
        self._relations = mirrored, model.skeleton.adjacency & ~mirrored
        centres = model.grid.positions(model.grid.centres())
        self._distances = np.linalg.norm(centres[:, None] - centres, axis=-1)

    def gather(self, persons: ExplainedPersons, regions: Regions) -> Tally:
        """Run the model on all persons and sum up their statistics.

        Raises:
            InputError: an image or a mask is missing or broken.
            FloatingPointError: a heatmap is not finite.
        """
        tally = None
        for batch in persons.batches(self._model.protocol.batch_size):
            truth = persons.truth.select(batch.index)
            found, layers = self._forward(batch)
            if tally is None:
                heads = layers[0].query.shape[1]
                tally = Tally(persons.truth.image_ids, len(layers), heads, len(self._model.skeleton))
            shares = regions.shares(truth, self._grid)
            tally.without_mask += int(np.isnan(shares).any(axis=(1, 2)).sum())
            self._add(tally, truth, found, layers, shares)
        assert tally is not None  # ExplainedPersons is never empty
        return tally

    @torch.inference_mode()
    def _forward(self, batch: EvaluationBatch) -> tuple[FoundKeypoints, list[LayerAttention]]:
        network = self._model.network
        encoded, layers = capture(network, network.features(normalise(self._model.context.send(batch.crops))))
        return locate_keypoints(self._model, heatmaps_of(network, encoded)), layers

    @torch.inference_mode()
    def _add(
        self,
        tally: Tally,
        truth: GroundTruth,
        found: FoundKeypoints,
        layers: Iterable[LayerAttention],
        shares: np.ndarray,
    ) -> None:
        queries = self._grid.tokens_at(found.points_xy)
        near = truth.neighbourhoods(self._grid, self._reach)
        for layer, attention in enumerate(layers):
            rows = attention.rows(torch.as_tensor(queries, device=attention.query.device)).cpu().double().numpy()
            rows = np.concatenate((rows, rows.mean(axis=1, keepdims=True)), axis=1)
            for person, image in enumerate(truth.image_ids.tolist()):
                visibility = truth.visibility[person]
                mass, lift = masses(rows[person], near[person])
                tally.add_pairs(image, layer, visibility, mass, lift, near[person].any(axis=1))
                values = self._values(rows[person], mass, near[person], queries[person], shares[person])
                tally.add(image, layer, visibility, values)

    def _values(
        self, rows: np.ndarray, mass: np.ndarray, near: np.ndarray, queries: np.ndarray, shares: np.ndarray
    ) -> np.ndarray:
        """Return `MEASURES` [heads + 1, K, M] of one person's rows [heads + 1, K, L]."""
        groups = [near, *(_joined(near, relation) for relation in self._relations)]
        sizes = [group.sum(axis=-1) for group in groups]
        on_groups = [
            np.where(size > 0, (rows * group).sum(axis=-1), np.nan) for group, size in zip(groups, sizes, strict=True)
        ]
        lifts = [
            on_group * self._grid.tokens / np.maximum(size, 1) for on_group, size in zip(on_groups, sizes, strict=True)
        ]
        on_regions = [rows @ shares[region] for region in (OWN, OTHER, BACKGROUND)]
        own_share = shares[OWN].mean()
        distance = (rows * self._distances[queries]).sum(axis=-1)
        values = [
            *on_groups,
            *lifts,
            *on_regions,
            on_regions[0] / own_share if own_share > 0 else np.full_like(distance, np.nan),
            distance,
            distance / self._grid.size[0],
            normalised_entropy(rows),
        ]
        return np.stack(values, axis=-1)


def masses(rows: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mass and lift [heads, K, K] of attention [heads, K, L] on neighbourhoods [K, L]; see `Tally`."""
    mass = rows @ near.T.astype(np.float64)
    return mass, mass * near.shape[1] / np.maximum(near.sum(axis=1), 1)


def normalised_entropy(rows: np.ndarray) -> np.ndarray:
    """Return the entropy of distributions [..., L] relative to the maximum: 1 for uniform, 0 for a single cell."""
    logarithms = np.log(rows, out=np.zeros_like(rows), where=rows > 0)
    return -(rows * logarithms).sum(axis=-1) / np.log(rows.shape[-1])


def _joined(near: np.ndarray, relation: np.ndarray) -> np.ndarray:
    """Return [K, L] bool: neighbourhoods of the keypoints related to each keypoint, without its own neighbourhood."""
    return (relation.astype(np.int64) @ near > 0) & ~near
