"""Whether attention tells what a prediction depends on: rankings of cells put to the test, one pass over persons.

Every ranking is tried beside chance, beside the cells nearest to the joint, which attention favours anyway, and beside
other explanations. Only joints that the model finds well at first are tried: of a wrong prediction nothing can be lost.
Taking cells away makes inputs that the model was not trained on; differences between rankings count, not figures alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from transpose.attention.attribution import ExplainedPerson, attributions, persons_on_trial, random_cells_of
from transpose.attention.influence import Influence, influence
from transpose.attention.knockout import deletion_and_insertion, knock_out, most_important
from transpose.attention.neighbourhood import neighbourhoods
from transpose.attention.occlusion import foretold, patch_effects, patches
from transpose.attention.persons import ExplainedPersons, Truth
from transpose.attention.randomisation import randomised_models, similarity_of_maps
from transpose.attention.records import DIRECTIONS
from transpose.attention.removal import Depth, Removal, all_layers_removal, image_removal, last_layer_removal
from transpose.config.attention import AttentionMeasures
from transpose.pose_model import PoseModel

Importance = Mapping[str, np.ndarray]
"""By ranking, [J, L]; see `attributions`."""

MEASURES = ("peak_drop", "peak_change", "shift", "similarity_drop")
"""Share of the peak that is lost, and by which it changes either way; crop pixels moved; keypoint similarity lost."""


class Trials:
    """What became of P persons' K joints, by what was tried; NaN where nothing was."""

    def __init__(self, image_ids: np.ndarray, keypoints: int) -> None:
        self.image_ids = image_ids
        """[P] int64."""
        self.keypoints = keypoints
        """K."""
        self._values: dict[tuple[str, ...], np.ndarray] = {}

    def note(self, key: tuple[str, ...], person: int, joints: np.ndarray, values: np.ndarray) -> None:
        """Write down values [J, ...] of a person's joints [J]."""
        if key not in self._values:
            self._values[key] = np.full((len(self.image_ids), self.keypoints, *values.shape[1:]), np.nan)
        self._values[key][person, joints] = values

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

    What is noted in the trials: `knockout`, depth, ranking, one of `MEASURES`; `curve`, direction, ranking: keypoint
    similarity at the shares 0, `fractions` and 1; `foretold`, ranking: rank correlation with the occlusion test;
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

    def run(self, persons: ExplainedPersons) -> Trials:
        """Try everything, each measure on as many persons as the settings say.

        Raises:
            InputError: an image is missing or broken.
            FloatingPointError: a heatmap is not finite.
        """
        trials = Trials(persons.truth.image_ids, len(self._skeleton))
        labelled = persons.truth.visibility > 0
        near = neighbourhoods(self._grid, persons.truth.joints_xy, self._settings.reach) & labelled[..., None]
        for index, person, truth in persons_on_trial(self._pose_model, persons):
            self._try(_Trial(trials, index, int(persons.turns[index]), person, truth, near[index]))
        return trials

    def _try(self, trial: "_Trial") -> None:
        rng = random_cells_of(trial.truth, self._settings.seed)
        importance = attributions(self._model, trial.person, self._grid, rng)
        features = trial.person.features
        in_last_layer = last_layer_removal(self._model, features)
        self._knock_out(trial, "last_layer", in_last_layer, importance)
        everywhere = all_layers_removal(self._model, features)
        self._knock_out(trial, "all_layers", everywhere, importance)
        self._hide_joints(trial, "all_layers", everywhere)
        for layers, correlation in enumerate(similarity_of_maps(self._randomised, trial.person), start=1):
            trial.note(("randomised", str(layers)), correlation)
        if trial.turn < self._settings.curve_persons:
            self._draw_curves(trial, in_last_layer, importance)
        if trial.turn < self._settings.occlusion_persons:
            hidden = image_removal(self._model, trial.person.crop, self._grid)
            self._knock_out(trial, "image", hidden, importance)
            self._hide_joints(trial, "image", hidden)
            self._hide_patches(trial, hidden, importance)

    def _knock_out(self, trial: "_Trial", depth: Depth, removal: Removal, importance: Importance) -> None:
        fraction = self._settings.knockout_fraction
        kept = np.stack([~most_important(values, fraction) for values in importance.values()])
        outcome = knock_out(removal, trial.person, kept, self._grid, self._protocol)
        lost = self._similarity(trial, trial.person.points_xy) - self._similarity(trial, outcome.points_xy)
        measured = outcome.peak_drop, np.abs(outcome.peak_drop), outcome.shift, lost
        for row, method in enumerate(importance):
            for measure, values in zip(MEASURES, measured, strict=True):
                trial.note(("knockout", depth, method, measure), values[row])

    def _draw_curves(self, trial: "_Trial", removal: Removal, importance: Importance) -> None:
        curves = deletion_and_insertion(
            removal, trial.person, importance, self._settings.fractions, self._grid, self._protocol
        )
        for method, directions in curves.items():
            for direction, points in zip(DIRECTIONS, directions, strict=True):
                trial.note(("curve", direction, method), self._similarity(trial, points).T)

    def _hide_joints(self, trial: "_Trial", depth: Depth, removal: Removal) -> None:
        found = influence(removal, trial.person, trial.truth.joints_xy[0], trial.near, self._grid, self._protocol)
        for name, matrix in zip(Influence._fields, found, strict=True):
            trial.note(("influence", depth, name), matrix[trial.person.joints])

    def _hide_patches(self, trial: "_Trial", removal: Removal, importance: Importance) -> None:
        effects = patch_effects(removal, trial.person, self._patches, self._grid, self._protocol)
        for method, correlation in foretold(importance, effects, self._patches).items():
            trial.note(("foretold", method), correlation)

    def _similarity(self, trial: "_Trial", points_xy: np.ndarray) -> np.ndarray:
        """[..., J] of the person's joints, [..., J, 2] crop pixels."""
        return trial.truth.similarity_of(trial.person.joints, points_xy, self._skeleton)


@dataclass(frozen=True)
class _Trial:
    """One person on trial."""

    trials: Trials
    index: int
    turn: int
    person: ExplainedPerson
    truth: Truth
    near: np.ndarray
    """[K, L] bool: neighbourhoods of the labelled joints."""

    def note(self, key: tuple[str, ...], values: np.ndarray) -> None:
        """Write down values [J, ...] of the person's joints."""
        self.trials.note(key, self.index, self.person.joints, values)
