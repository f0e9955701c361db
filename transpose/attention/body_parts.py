"""Whether a keypoint is found by its mirror partner or its neighbours: attention on them, and what comes without them.

The keypoints evaluated are those that the unflipped pass finds well, hidden ones and seen ones: a keypoint found in the
wrong place, such as on its mirror partner, would count nearness to that place as attention to the partner.
"""

import numpy as np

from transpose.attention.attribution import ExplainedPerson, attention_rows, evaluated_instances, random_cells_of
from transpose.attention.faithfulness import PerturbationResults
from transpose.attention.keypoint_regions import KeypointRegions
from transpose.attention.knockout import MaskedPrediction, outcome
from transpose.attention.masking import CellMasking, mask_all_layers
from transpose.attention.persons import ExplainedPersons, GroundTruth
from transpose.config.attention import AttentionMeasures
from transpose.pose_model import PoseModel

ATTENTION_MEASURES = ("area", "attention_mass", "attention_lift")
"""Share of the crop, share of the keypoint's attention in the last layer, and the latter over the former."""

_EFFECTS = ("similarity_drop", "shift", "peak_drop")

KNOCKOUT_MEASURES = (
    "cells_removed",
    *_EFFECTS,
    *(f"random_{effect}" for effect in _EFFECTS),
    *(f"{effect}_beyond_random" for effect in _EFFECTS),
)
"""Cells masked as keys of all layers, and keypoint similarity lost, crop pixels moved, share of the peak lost:
without them, without as many random ones, and the difference."""

_LEAST_AREA = 1.0
"""Cells that a group covers at least, all told, so that it counts as there."""

_BELONGS = 0.5
"""Share of a cell that a group covers at least, so that the cell is masked with it."""


class BodyPartTest:
    """Asks of one trained model's well-found keypoints what they attend to and what they cannot do without.

    What is noted in the results: group of `KeypointRegions`, one of `ATTENTION_MEASURES` or `KNOCKOUT_MEASURES`; NaN
    where the group is not in the crop.
    """

    def __init__(self, model: PoseModel, settings: AttentionMeasures) -> None:
        self._model = model.network
        self._grid = model.grid
        self._skeleton = model.skeleton
        self._protocol = model.protocol
        self._settings = settings
        self._pose_model = model

    def run(self, persons: ExplainedPersons, regions: KeypointRegions) -> PerturbationResults:
        """Try all persons.

        Raises:
            InputError: an image is missing or broken.
            FloatingPointError: a heatmap is not finite.
        """
        results = PerturbationResults(persons.truth.image_ids, len(self._skeleton))
        for index, person, truth in evaluated_instances(self._pose_model, persons):
            shares = regions.of(truth, person.found.points_xy[0])[person.keypoints]
            found = attention_on(attention_rows(person), shares) | self._knock_out(person, truth, shares)
            for measure, values in found.items():
                for group, column in zip(regions.groups, values.T, strict=True):
                    results.record((group, measure), index, person.keypoints, column)
        return results

    def _knock_out(self, person: ExplainedPerson, truth: GroundTruth, shares: np.ndarray) -> dict[str, np.ndarray]:
        """Values [J, G] of `KNOCKOUT_MEASURES`."""
        removed = shares >= _BELONGS
        tried = removed.any(axis=2)
        rng = random_cells_of(truth, self._settings.seed)
        masking = mask_all_layers(self._model, person.features)
        heatmaps = heatmaps_without(masking, person, removed, rng)
        result = outcome(heatmaps, person, self._grid, self._protocol)
        effects = dict(zip(_EFFECTS, self._effects(person, truth, result), strict=True))
        values = {"cells_removed": removed.sum(axis=2).astype(np.float64)}
        values |= {effect: of_group.T for effect, (of_group, _) in effects.items()}
        values |= {f"random_{effect}": at_random.T for effect, (_, at_random) in effects.items()}
        values |= {f"{effect}_beyond_random": (one - other).T for effect, (one, other) in effects.items()}
        return {measure: np.where(tried, of_keypoints, np.nan) for measure, of_keypoints in values.items()}

    def _effects(self, person: ExplainedPerson, truth: GroundTruth, result: MaskedPrediction) -> tuple[np.ndarray, ...]:
        """`_EFFECTS`, [2, G, J] each."""
        before = truth.similarity_of(person.keypoints, person.points_xy, self._skeleton)
        after = truth.similarity_of(person.keypoints, result.points_xy, self._skeleton)
        return before - after, result.shift, result.peak_drop


def attention_on(rows: np.ndarray, shares: np.ndarray) -> dict[str, np.ndarray]:
    """Values [J, G] of `ATTENTION_MEASURES`.

    Args:
        rows: [J, L], summing to 1.
        shares: [J, G, L] of each cell.
    """
    area, mass = shares.mean(axis=2), np.einsum("jl,jgl->jg", rows, shares)
    there = shares.sum(axis=2) >= _LEAST_AREA
    lift = np.divide(mass, area, out=np.full(mass.shape, np.nan), where=there)
    return {
        "area": np.where(there, area, np.nan),
        "attention_mass": np.where(there, mass, np.nan),
        "attention_lift": lift,
    }


def heatmaps_without(
    masking: CellMasking, person: ExplainedPerson, removed: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Heatmaps [2, G, J, h, w] of a person's keypoints without cells [J, G, L], and without as many random ones.

    The first group is the keypoint's own place. The others have no cell of it, and neither have their random ones, for
    a keypoint that loses its own place loses more than it would to any other. Keypoints share most of their groups, and
    each set of cells is masked once for all of them.
    """
    keypoints, groups, tokens = removed.shape
    sets, which = np.unique(removed.reshape(-1, tokens), axis=0, return_inverse=True)
    spared = np.repeat(removed[:, :1], groups, axis=1)
    spared[:, 0] = False
    draws = np.where(spared, np.inf, rng.random(removed.shape))
    at_random = draws.argsort(axis=2).argsort(axis=2) < removed.sum(axis=2, keepdims=True)
    heatmaps = masking(~np.concatenate((sets, at_random.reshape(-1, tokens)))).numpy()
    control = len(sets) + np.arange(keypoints * groups)
    case = np.stack([cases.reshape(keypoints, groups).T for cases in (which.ravel(), control)])
    return heatmaps[case, person.keypoints]
