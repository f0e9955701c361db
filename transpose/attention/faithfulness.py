"""Faithfulness tests of attention: deletion and insertion, knock-out, occlusion and randomisation.

Attention is compared with random cells, with the cells nearest to the keypoint, which attention favours anyway, and
with other attribution methods. Only keypoints that the intact model predicts well are tested, because a wrong
prediction cannot get worse. The model was not trained on masked inputs, so compare rankings with each other instead of
reading single values.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from transpose.attention.attribution import attributions, randomised_models, similarity_of_maps
from transpose.attention.estimates import PerturbationResults
from transpose.attention.influence import Influence, attribution_correlations, influence, patch_effects, patches
from transpose.attention.masking import (
    CellMasking,
    Depth,
    deletion_and_insertion,
    knock_out,
    mask_all_layers,
    mask_image,
    mask_last_layer,
    most_important,
)
from transpose.attention.persons import (
    ExplainedPerson,
    ExplainedPersons,
    GroundTruth,
    evaluated_instances,
    random_cells_of,
)
from transpose.attention.records import DIRECTIONS
from transpose.config.attention import AttentionMeasures
from transpose.pose_model import PoseModel

Importance = Mapping[str, np.ndarray]
"""Importance [J, L] by ranking; see `attributions`."""

MEASURES = ("peak_drop", "peak_change", "shift", "similarity_drop")
"""Lost share of the peak, its absolute value, shift in crop pixels, and loss of keypoint similarity."""


class FaithfulnessTest:
    """Tests the faithfulness of one trained model's attention maps.

    Keys of the results:
        `knockout`, depth, ranking, one of `MEASURES`.
        `curve`, direction, ranking: keypoint similarity at the shares 0, `fractions` and 1.
        `occlusion_correlation`, ranking: rank correlation with the effect of occluding patches.
        `influence`, depth, field of `Influence`.
        `randomised`, number of layers: rank correlation with the original map.
    """

    def __init__(self, model: PoseModel, settings: AttentionMeasures) -> None:
        self._model = model
        self._settings = settings
        self._patches = patches(model.grid, settings.patch)
        self._randomised = randomised_models(model.network, settings.seed)

    def run(self, persons: ExplainedPersons) -> PerturbationResults:
        """Run all tests, each on as many persons as the settings say.

        Raises:
            InputError: an image is missing or broken.
            FloatingPointError: a heatmap is not finite.
        """
        results = PerturbationResults(persons.truth.image_ids, len(self._model.skeleton))
        for index, person, truth in evaluated_instances(self._model, persons):
            self._evaluate(_Instance(results, index, int(persons.draw_order[index]), person, truth))
        return results

    def _evaluate(self, instance: "_Instance") -> None:
        rng = random_cells_of(instance.truth, self._settings.seed)
        importance = attributions(self._model, instance.person, rng)
        network, features = self._model.network, instance.person.features
        in_last_layer = mask_last_layer(network, features)
        self._knock_out(instance, "last_layer", in_last_layer, importance)
        in_all_layers = mask_all_layers(network, features)
        self._knock_out(instance, "all_layers", in_all_layers, importance)
        self._mask_keypoints(instance, "all_layers", in_all_layers)
        for layers, correlation in enumerate(similarity_of_maps(self._randomised, instance.person), start=1):
            instance.record(("randomised", str(layers)), correlation)
        if instance.draw_rank < self._settings.curve_persons:
            self._draw_curves(instance, in_last_layer, importance)
        if instance.draw_rank < self._settings.occlusion_persons:
            in_image = mask_image(network, instance.person.crop, self._model.grid)
            self._knock_out(instance, "image", in_image, importance)
            self._mask_keypoints(instance, "image", in_image)
            self._mask_patches(instance, in_image, importance)

    def _knock_out(self, instance: "_Instance", depth: Depth, masking: CellMasking, importance: Importance) -> None:
        fraction = self._settings.knockout_fraction
        kept = np.stack([~most_important(values, fraction) for values in importance.values()])
        outcome = knock_out(self._model, masking, instance.person, kept)
        lost = self._similarity(instance, instance.person.points_xy) - self._similarity(instance, outcome.points_xy)
        measured = outcome.peak_drop, np.abs(outcome.peak_drop), outcome.shift, lost
        for row, method in enumerate(importance):
            for measure, values in zip(MEASURES, measured, strict=True):
                instance.record(("knockout", depth, method, measure), values[row])

    def _draw_curves(self, instance: "_Instance", masking: CellMasking, importance: Importance) -> None:
        curves = deletion_and_insertion(self._model, masking, instance.person, importance, self._settings.fractions)
        for method, directions in curves.items():
            for direction, points in zip(DIRECTIONS, directions, strict=True):
                instance.record(("curve", direction, method), self._similarity(instance, points).T)

    def _mask_keypoints(self, instance: "_Instance", depth: Depth, masking: CellMasking) -> None:
        near = instance.truth.neighbourhoods(self._model.grid, self._settings.reach)[0]
        found = influence(self._model, masking, instance.person, instance.truth.keypoints_xy[0], near)
        for name, matrix in zip(Influence._fields, found, strict=True):
            instance.record(("influence", depth, name), matrix[instance.person.keypoints])

    def _mask_patches(self, instance: "_Instance", masking: CellMasking, importance: Importance) -> None:
        effects = patch_effects(self._model, masking, instance.person, self._patches)
        for method, correlation in attribution_correlations(importance, effects, self._patches).items():
            instance.record(("occlusion_correlation", method), correlation)

    def _similarity(self, instance: "_Instance", points_xy: np.ndarray) -> np.ndarray:
        """Return keypoint similarity [..., J] of points [..., J, 2] in crop pixels."""
        return instance.truth.similarity_of(instance.person.keypoints, points_xy, self._model.skeleton)


@dataclass(frozen=True)
class _Instance:
    """One evaluated person."""

    results: PerturbationResults
    index: int
    draw_rank: int
    """Position in the random draw of persons; see `ExplainedPersons.draw_order`."""
    person: ExplainedPerson
    truth: GroundTruth

    def record(self, key: tuple[str, ...], values: np.ndarray) -> None:
        """Store values [J, ...] of the person's keypoints."""
        self.results.record(key, self.index, self.person.keypoints, values)
