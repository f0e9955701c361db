"""How keypoints depend on their left/right counterpart and their neighbours: attention on them, and masking them.

Only keypoints that the unflipped pass predicts well are evaluated, occluded and visible ones. A keypoint predicted in
the wrong position, such as on its mirror partner, would count nearness to that position as attention to the partner.
"""

import numpy as np

from transpose.attention.attribution import attention_rows
from transpose.attention.estimates import PerturbationResults
from transpose.attention.keypoint_regions import KeypointRegions
from transpose.attention.masking import CellMasking, MaskedPrediction, mask_all_layers, outcome
from transpose.attention.persons import (
    ExplainedPerson,
    ExplainedPersons,
    GroundTruth,
    evaluated_instances,
    random_cells_of,
)
from transpose.config.attention import AttentionMeasures
from transpose.pose_model import PoseModel

ATTENTION_MEASURES = ("area", "attention_mass", "attention_lift")
"""Share of the crop, share of the keypoint's attention in the last layer, and attention share / crop share."""

_EFFECTS = ("similarity_drop", "shift", "peak_drop")

KNOCKOUT_MEASURES = (
    "cells_removed",
    *_EFFECTS,
    *(f"random_{effect}" for effect in _EFFECTS),
    *(f"{effect}_beyond_random" for effect in _EFFECTS),
)
"""Number of cells masked as keys of all layers, then three effects: loss of keypoint similarity, shift in crop pixels,
lost share of the peak. Each without the group's cells, without as many random cells, and the difference."""

_LEAST_AREA = 1.0
"""Smallest total area, in cells, at which a group counts as present."""

_BELONGS = 0.5
"""Smallest share of a cell that a group must cover for the cell to be masked with it."""


class BodyPartTest:
    """Measures which groups of cells a model's well-predicted keypoints attend to and depend on.

    Keys of the results: (group of `KeypointRegions`, one of `ATTENTION_MEASURES` or `KNOCKOUT_MEASURES`). Values are
    NaN where the group is not in the crop.
    """

    def __init__(self, model: PoseModel, settings: AttentionMeasures) -> None:
        self._model = model
        self._settings = settings

    def run(self, persons: ExplainedPersons, regions: KeypointRegions) -> PerturbationResults:
        """Evaluate all persons.

        Raises:
            InputError: an image is missing or broken.
            FloatingPointError: a heatmap is not finite.
        """
        results = PerturbationResults(persons.truth.image_ids, len(self._model.skeleton))
        for index, person, truth in evaluated_instances(self._model, persons):
            shares = regions.of(truth, person.found.points_xy[0])[person.keypoints]
            rows = attention_rows(person.layers, person.queries)
            found = attention_on(rows, shares) | self._knock_out(person, truth, shares)
            for measure, values in found.items():
                for group, column in zip(regions.groups, values.T, strict=True):
                    results.record((group, measure), index, person.keypoints, column)
        return results

    def _knock_out(self, person: ExplainedPerson, truth: GroundTruth, shares: np.ndarray) -> dict[str, np.ndarray]:
        """Return values [J, G] of `KNOCKOUT_MEASURES`."""
        removed = shares >= _BELONGS
        present = removed.any(axis=2)
        rng = random_cells_of(truth, self._settings.seed)
        masking = mask_all_layers(self._model.network, person.features)
        result = outcome(self._model, heatmaps_without(masking, person, removed, rng), person)
        effects = dict(zip(_EFFECTS, self._effects(person, truth, result), strict=True))
        values = {"cells_removed": removed.sum(axis=2).astype(np.float64)}
        values |= {effect: of_group.T for effect, (of_group, _) in effects.items()}
        values |= {f"random_{effect}": at_random.T for effect, (_, at_random) in effects.items()}
        values |= {f"{effect}_beyond_random": (one - other).T for effect, (one, other) in effects.items()}
        return {measure: np.where(present, of_keypoints, np.nan) for measure, of_keypoints in values.items()}

    def _effects(self, person: ExplainedPerson, truth: GroundTruth, result: MaskedPrediction) -> tuple[np.ndarray, ...]:
        """Return `_EFFECTS`, [2, G, J] each."""
        before = truth.similarity_of(person.keypoints, person.points_xy, self._model.skeleton)
        after = truth.similarity_of(person.keypoints, result.points_xy, self._model.skeleton)
        return before - after, result.shift, result.peak_drop


def attention_on(rows: np.ndarray, shares: np.ndarray) -> dict[str, np.ndarray]:
    """Return values [J, G] of `ATTENTION_MEASURES`.

    Args:
        rows: [J, L] attention rows that sum to 1.
        shares: [J, G, L] share of each cell that belongs to each group.
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
    """Return heatmaps [2, G, J, h, w] of a person's keypoints without cells [J, G, L], and without as many random ones.

    The first group contains the cells around the keypoint itself. The random cells of the other groups never include
    these, because masking them affects a keypoint more than masking any others. Keypoints share most groups, so each
    set of cells is masked once.
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
