"""Whether attention tells what a prediction depends on: rankings of cells put to the test, one pass over persons.

Every ranking is tried beside chance, beside the cells nearest to the keypoint, which attention favours anyway, and
beside other explanations. Only keypoints that the model finds well at first are tried: of a wrong prediction nothing
can be lost. Taking cells away makes inputs that the model was not trained on; differences between rankings count, not
figures alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from transpose.attention.attribution import ExplainedPerson, attributions, evaluated_instances, random_cells_of
from transpose.attention.influence import Influence, influence
from transpose.attention.knockout import deletion_and_insertion, knock_out, most_important
from transpose.attention.masking import CellMasking, Depth, mask_all_layers, mask_image, mask_last_layer
from transpose.attention.neighbourhood import neighbourhoods
from transpose.attention.occlusion import attribution_correlations, patch_effects, patches
from transpose.attention.persons import ExplainedPersons, GroundTruth
from transpose.attention.randomisation import randomised_models, similarity_of_maps
from transpose.attention.records import DIRECTIONS
from transpose.config.attention import AttentionMeasures
from transpose.pose_model import PoseModel

Importance = Mapping[str, np.ndarray]
"""By ranking, [J, L]; see `attributions`."""

MEASURES = ("peak_drop", "peak_change", "shift", "similarity_drop")
"""Share of the peak that is lost, and by which it changes either way; crop pixels moved; keypoint similarity lost."""


class PerturbationResults:
    """What became of P persons' K keypoints, by what was tried; NaN where nothing was."""

    def __init__(self, image_ids: np.ndarray, keypoints: int) -> None:
        self.image_ids = image_ids
        """[P] int64."""
        self.keypoints = keypoints
        """K."""
        self._values: dict[tuple[str, ...], np.ndarray] = {}

    def record(self, key: tuple[str, ...], person: int, keypoints: np.ndarray, values: np.ndarray) -> None:
        """Write down values [J, ...] of a person's keypoints [J]."""
        if key not in self._values:
            self._values[key] = np.full((len(self.image_ids), self.keypoints, *values.shape[1:]), np.nan)
        self._values[key][person, keypoints] = values

    def at(self, *key: str, shape: tuple[int, ...] = ()) -> np.ndarray:
        """Values [P, K, *shape] of a key, NaN all over if nothing was noted."""
        nothing = np.full((len(self.image_ids), self.keypoints, *shape), np.nan)
        return self._values.get(key, nothing)

    def of(self, *beginning: str) -> dict[tuple[str, ...], np.ndarray]:
        """Values [P, K, ...] of all keys that begin so, by what follows, in the order in which they first came."""
        length = len(beginning)
        return {key[length:]: values for key, values in self._values.items() if key[:length] == beginning}


class FaithfulnessTest:
    """Puts one trained model's explanations to the test.

    Keys of the results: `knockout`, depth, ranking, one of `MEASURES`; `curve`, direction, ranking: keypoint similarity
    at the shares 0, `fractions` and 1; `occlusion_correlation`, ranking: rank correlation with the occlusion test;
    `influence`, depth, field of `Influence`; `randomised`, number of layers: rank correlation with the original map.
    """

    def __init__(self, model: PoseModel, settings: AttentionMeasures) -> None:
        self._model = model.network
        self._grid = model.grid
        self._skeleton = model.skeleton
        self._protocol = model.protocol
        self._settings = settings
        self._pose_model = model
        self._patches = patches(model.grid, settings.patch)
        self._randomised = randomised_models(model.network, settings.seed)

    def run(self, persons: ExplainedPersons) -> PerturbationResults:
        """Try everything, each measure on as many persons as the settings say.

        Raises:
            InputError: an image is missing or broken.
            FloatingPointError: a heatmap is not finite.
        """
        results = PerturbationResults(persons.truth.image_ids, len(self._skeleton))
        labelled = persons.truth.visibility > 0
        near = neighbourhoods(self._grid, persons.truth.keypoints_xy, self._settings.reach) & labelled[..., None]
        for index, person, truth in evaluated_instances(self._pose_model, persons):
            self._try(_Instance(results, index, int(persons.draw_order[index]), person, truth, near[index]))
        return results

    def _try(self, instance: "_Instance") -> None:
        rng = random_cells_of(instance.truth, self._settings.seed)
        importance = attributions(self._model, instance.person, self._grid, rng)
        features = instance.person.features
        in_last_layer = mask_last_layer(self._model, features)
        self._knock_out(instance, "last_layer", in_last_layer, importance)
        everywhere = mask_all_layers(self._model, features)
        self._knock_out(instance, "all_layers", everywhere, importance)
        self._hide_keypoints(instance, "all_layers", everywhere)
        for layers, correlation in enumerate(similarity_of_maps(self._randomised, instance.person), start=1):
            instance.record(("randomised", str(layers)), correlation)
        if instance.turn < self._settings.curve_persons:
            self._draw_curves(instance, in_last_layer, importance)
        if instance.turn < self._settings.occlusion_persons:
            hidden = mask_image(self._model, instance.person.crop, self._grid)
            self._knock_out(instance, "image", hidden, importance)
            self._hide_keypoints(instance, "image", hidden)
            self._hide_patches(instance, hidden, importance)

    def _knock_out(self, instance: "_Instance", depth: Depth, masking: CellMasking, importance: Importance) -> None:
        fraction = self._settings.knockout_fraction
        kept = np.stack([~most_important(values, fraction) for values in importance.values()])
        outcome = knock_out(masking, instance.person, kept, self._grid, self._protocol)
        lost = self._similarity(instance, instance.person.points_xy) - self._similarity(instance, outcome.points_xy)
        measured = outcome.peak_drop, np.abs(outcome.peak_drop), outcome.shift, lost
        for row, method in enumerate(importance):
            for measure, values in zip(MEASURES, measured, strict=True):
                instance.record(("knockout", depth, method, measure), values[row])

    def _draw_curves(self, instance: "_Instance", masking: CellMasking, importance: Importance) -> None:
        curves = deletion_and_insertion(
            masking, instance.person, importance, self._settings.fractions, self._grid, self._protocol
        )
        for method, directions in curves.items():
            for direction, points in zip(DIRECTIONS, directions, strict=True):
                instance.record(("curve", direction, method), self._similarity(instance, points).T)

    def _hide_keypoints(self, instance: "_Instance", depth: Depth, masking: CellMasking) -> None:
        found = influence(
            masking, instance.person, instance.truth.keypoints_xy[0], instance.near, self._grid, self._protocol
        )
        for name, matrix in zip(Influence._fields, found, strict=True):
            instance.record(("influence", depth, name), matrix[instance.person.keypoints])

    def _hide_patches(self, instance: "_Instance", masking: CellMasking, importance: Importance) -> None:
        effects = patch_effects(masking, instance.person, self._patches, self._grid, self._protocol)
        for method, correlation in attribution_correlations(importance, effects, self._patches).items():
            instance.record(("occlusion_correlation", method), correlation)

    def _similarity(self, instance: "_Instance", points_xy: np.ndarray) -> np.ndarray:
        """[..., J] of the person's keypoints, [..., J, 2] crop pixels."""
        return instance.truth.similarity_of(instance.person.keypoints, points_xy, self._skeleton)


@dataclass(frozen=True)
class _Instance:
    """One evaluated person."""

    results: PerturbationResults
    index: int
    turn: int
    person: ExplainedPerson
    truth: GroundTruth
    near: np.ndarray
    """[K, L] bool: neighbourhoods of the labelled keypoints."""

    def record(self, key: tuple[str, ...], values: np.ndarray) -> None:
        """Write down values [J, ...] of the person's keypoints."""
        self.results.record(key, self.index, self.person.keypoints, values)
