"""Faithfulness tests of attention: deletion and insertion, knock-out, occlusion and randomisation.

Attention is compared with random cells, with the cells nearest to the keypoint, which attention favours anyway, and
with other attribution methods. Only keypoints that the intact model predicts well are tested, because a wrong
prediction cannot get worse. The model was not trained on masked inputs, so compare rankings with each other instead of
reading single values.
"""

from collections.abc import Iterator, Mapping

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

Measured = Iterator[tuple[tuple[str, ...], np.ndarray]]
"""Keys of the results, and values [J, ...] of a person's keypoints."""

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
            for key, values in self._measure(person, truth, int(persons.draw_order[index])):
                results.record(key, index, person.keypoints, values)
        return results

    def _measure(self, person: ExplainedPerson, truth: GroundTruth, draw_rank: int) -> Measured:
        """Yield all measures of one person, whose position in the random draw decides which tests it takes part in."""
        settings, network = self._settings, self._model.network
        importance = attributions(self._model, person, random_cells_of(truth, settings.seed))
        in_last_layer = mask_last_layer(network, person.features)
        yield from self._knock_out(person, truth, "last_layer", in_last_layer, importance)
        in_all_layers = mask_all_layers(network, person.features)
        yield from self._knock_out(person, truth, "all_layers", in_all_layers, importance)
        yield from self._mask_keypoints(person, truth, "all_layers", in_all_layers)
        for layers, correlation in enumerate(similarity_of_maps(self._randomised, person), start=1):
            yield ("randomised", str(layers)), correlation
        if draw_rank < settings.curve_persons:
            yield from self._draw_curves(person, truth, in_last_layer, importance)
        if draw_rank < settings.occlusion_persons:
            in_image = mask_image(network, person.crop, self._model.grid)
            yield from self._knock_out(person, truth, "image", in_image, importance)
            yield from self._mask_keypoints(person, truth, "image", in_image)
            yield from self._mask_patches(person, in_image, importance)

    def _knock_out(
        self, person: ExplainedPerson, truth: GroundTruth, depth: Depth, masking: CellMasking, importance: Importance
    ) -> Measured:
        fraction, skeleton = self._settings.knockout_fraction, self._model.skeleton
        kept = np.stack([~most_important(values, fraction) for values in importance.values()])
        outcome = knock_out(self._model, masking, person, kept)
        before = truth.similarity_of(person.keypoints, person.points_xy, skeleton)
        lost = before - truth.similarity_of(person.keypoints, outcome.points_xy, skeleton)
        measured = outcome.peak_drop, np.abs(outcome.peak_drop), outcome.shift, lost
        for row, method in enumerate(importance):
            for measure, values in zip(MEASURES, measured, strict=True):
                yield ("knockout", depth, method, measure), values[row]

    def _draw_curves(
        self, person: ExplainedPerson, truth: GroundTruth, masking: CellMasking, importance: Importance
    ) -> Measured:
        curves = deletion_and_insertion(self._model, masking, person, importance, self._settings.fractions)
        for method, directions in curves.items():
            for direction, points in zip(DIRECTIONS, directions, strict=True):
                similarity = truth.similarity_of(person.keypoints, points, self._model.skeleton)
                yield ("curve", direction, method), similarity.T

    def _mask_keypoints(
        self, person: ExplainedPerson, truth: GroundTruth, depth: Depth, masking: CellMasking
    ) -> Measured:
        near = truth.neighbourhoods(self._model.grid, self._settings.reach)[0]
        found = influence(self._model, masking, person, truth.keypoints_xy[0], near)
        for name, matrix in zip(Influence._fields, found, strict=True):
            yield ("influence", depth, name), matrix[person.keypoints]

    def _mask_patches(self, person: ExplainedPerson, masking: CellMasking, importance: Importance) -> Measured:
        effects = patch_effects(self._model, masking, person, self._patches)
        for method, correlation in attribution_correlations(importance, effects, self._patches).items():
            yield ("occlusion_correlation", method), correlation
