"""Every measure finds the cells that a hand-made model needs; random cells do not."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.attention.planted import (
    DECOY,
    GRID,
    SEEKER,
    SEEKER_CELL,
    SKELETON,
    SOURCE,
    SOURCE_CELLS,
    PlantedPersons,
    planted_crop,
    planted_model,
    planted_pose_model,
    planted_truth,
)
from transpose.attention.attribution import attributions
from transpose.attention.estimates import PerturbationResults
from transpose.attention.faithfulness import FaithfulnessTest
from transpose.attention.faithfulness_report import keypoint_matrices, summarise
from transpose.attention.influence import patch_effects, patches
from transpose.attention.masking import knock_out, mask_image, mask_last_layer, most_important
from transpose.attention.persons import ExplainedPerson, explain_instance
from transpose.config.attention import AttentionMeasures
from transpose.config.bootstrap import Bootstrap
from transpose.config.study import EvalProtocol

PROTOCOL = EvalProtocol(decoder="argmax")
BOOTSTRAP = Bootstrap(samples=50, seed=0)
SETTINGS = AttentionMeasures(
    fractions=(0.05, 0.12, 0.3),
    knockout_fraction=0.12,
    knockout_persons=4,
    curve_persons=3,
    occlusion_persons=2,
    patch=8,
    reach=0.3,
)
TRIAL = planted_pose_model(PROTOCOL)


@pytest.fixture
def person() -> ExplainedPerson:
    truth = planted_truth()
    crop = torch.from_numpy(planted_crop())
    return explain_instance(TRIAL, crop, lambda points: truth.similarity(points, SKELETON) > 0.5)


@pytest.fixture(scope="module")
def results() -> PerturbationResults:
    persons: Any = PlantedPersons(4)
    return FaithfulnessTest(TRIAL, SETTINGS).run(persons)


def of_keypoint(results: PerturbationResults, keypoint: int, *beginning: str) -> dict[tuple[str, ...], float]:
    return {key: float(np.nanmean(values[:, keypoint])) for key, values in results.of(*beginning).items()}


def test_the_model_finds_all_three_keypoints(person: ExplainedPerson):
    assert person.keypoints.tolist() == [SEEKER, SOURCE, DECOY]
    assert person.queries[SEEKER] == SEEKER_CELL


@pytest.mark.parametrize("method", ["attention", "rollout", "gradient_x_input"])
def test_explanations_rank_the_needed_cells_first(person: ExplainedPerson, method: str):
    importance = attributions(TRIAL, person, np.random.default_rng(0))[method][SEEKER]
    # Half of rollout and a part of the gradient belong to the cell itself.
    others = np.where(np.arange(GRID.tokens) == SEEKER_CELL, -np.inf, importance)
    assert set(np.argsort(-others)[:4]) == set(SOURCE_CELLS)


def test_locality_and_the_least_attended_rank_them_last(person: ExplainedPerson):
    importance = attributions(TRIAL, person, np.random.default_rng(0))
    assert np.argmax(importance["distance"][SEEKER]) == SEEKER_CELL
    assert set(np.argsort(importance["least_attended"][SEEKER])[:4]) == set(SOURCE_CELLS)


@pytest.mark.parametrize("depth", ["last_layer", "all_layers", "image"])
def test_without_what_is_attended_the_keypoint_is_lost(results: PerturbationResults, depth: str):
    lost = of_keypoint(results, SEEKER, "knockout", depth)
    for method in ("attention", "rollout", "gradient_x_input"):
        assert lost[method, "similarity_drop"] > 0.9
        assert lost[method, "peak_drop"] > 0.5
        assert lost[method, "shift"] > 15
    for method in ("random", "distance", "least_attended"):
        if (depth, method) != ("image", "distance"):  # the green cell itself is nearest to the keypoint
            assert abs(lost[method, "similarity_drop"]) < 0.1


def test_an_independent_keypoint_loses_nothing(results: PerturbationResults):
    for keypoint in (SOURCE, DECOY):
        for (depth, _, measure), value in of_keypoint(results, keypoint, "knockout").items():
            if depth != "image" and measure == "similarity_drop":
                assert value == 0


def test_curves_fall_and_rise_early_for_what_is_attended(results: PerturbationResults):
    deletion, insertion = (results.of("curve", direction) for direction in ("deletion", "insertion"))
    attended, by_chance = deletion["attention",][0, SEEKER], deletion["random",][0, SEEKER]
    assert attended[0] == by_chance[0] > 0.9
    assert attended[-1] == by_chance[-1] < 0.1
    assert (attended[2:] < 0.1).all()
    assert (by_chance[:3] > 0.9).all()
    # With two cells left everybody, not the seeker alone, attends to them.
    assert (insertion["attention",][0, SEEKER, 2:] > 0.9).all()
    assert insertion["least_attended",][0, SEEKER, 1:-1].max() < 0.1


def test_only_the_first_persons_are_tried_in_dear_ways(results: PerturbationResults):
    assert np.isfinite(results.of("knockout")["last_layer", "attention", "shift"]).all(axis=1).tolist() == [True] * 4
    assert np.isfinite(results.of("curve")["deletion", "attention"]).all(axis=(1, 2)).tolist() == [True] * 3 + [False]
    assert np.isfinite(results.of("knockout")["image", "attention", "shift"]).any(axis=1).tolist() == [
        True,
        True,
        False,
        False,
    ]


def test_the_occlusion_test_finds_the_patch_and_attention_predicts_it(
    person: ExplainedPerson, results: PerturbationResults
):
    hidden = patches(GRID, 8)
    assert hidden.shape == (12, GRID.tokens)
    assert (hidden.sum(axis=0) == 1).all()
    effects = patch_effects(TRIAL, mask_image(planted_model(), person.crop, GRID), person, hidden)
    # The seeker's own patch and the one that it needs.
    two_worst = {frozenset(np.flatnonzero(hidden[patch]).tolist()) for patch in np.argsort(-effects[SEEKER])[:2]}
    assert frozenset(SOURCE_CELLS) in two_worst
    said = of_keypoint(results, SEEKER, "occlusion_correlation")
    assert said["attention",] > said["random",]
    assert said["least_attended",] == pytest.approx(-said["attention",])


def test_hiding_a_keypoint_moves_the_one_that_needs_it(results: PerturbationResults):
    matrices = keypoint_matrices(results)
    for depth in ("all_layers", "image"):
        moved = matrices[f"{depth}_shift"]
        assert moved[SEEKER, SOURCE] > 15
        assert moved[SEEKER, DECOY] == 0
        attention = matrices[f"{depth}_attention"]
        assert attention[SEEKER, SOURCE] > 3
        assert attention[DECOY, SOURCE] == pytest.approx(1, rel=1e-4)


def test_a_map_of_a_randomised_model_is_another(results: PerturbationResults):
    assert of_keypoint(results, SEEKER, "randomised")["1",] < 0.9


def test_knocking_out_nothing_changes_nothing_to_the_bit(person: ExplainedPerson):
    model = planted_model()
    with torch.inference_mode():
        masking = mask_last_layer(model, person.features)
    kept = np.ones((3, GRID.tokens), dtype=bool)
    assert np.array_equal(masking(kept[:1])[0].numpy(), person.heatmaps)
    same = knock_out(TRIAL, masking, person, kept)
    np.testing.assert_array_equal(same.points_xy, person.points_xy)
    assert not same.shift.any()
    assert not same.peak_drop.any()


def test_at_least_one_cell_and_equals_in_grid_order():
    chosen = most_important(np.zeros((2, 48)), 0.001)
    assert np.flatnonzero(chosen[1]).tolist() == [0]
    assert most_important(np.zeros(48), 1.0).all()
    assert np.flatnonzero(most_important(np.arange(48), 0.1)).tolist() == [43, 44, 45, 46, 47]


def test_the_summary_says_who_wins_and_by_how_much(results: PerturbationResults):
    report: Any = summarise(results, SETTINGS, 1, BOOTSTRAP)
    assert report["keypoints"] == 12
    knockouts = {(one.depth, one.ranking, one.measure): one for one in report["knockouts"]}
    chance = knockouts["last_layer", "random", "similarity_drop"]
    # One keypoint of three depends on anything.
    assert chance.margin.value == pytest.approx(1 / 3, abs=0.05)
    assert chance.margin.low > 0.2
    assert knockouts["last_layer", "attention", "similarity_drop"].margin is None
    areas = {(one.direction, one.ranking): one for one in report["curves"]}
    assert areas["deletion", "random"].margin.value < 0 < areas["insertion", "least_attended"].margin.value
    assert len(areas["deletion", "attention"].similarities) == 5


def test_without_well_found_keypoints_there_are_no_numbers():
    persons: Any = PlantedPersons(2)
    persons.truth.keypoints_xy[:] += 1000
    results = FaithfulnessTest(TRIAL, SETTINGS).run(persons)
    report: Any = summarise(results, SETTINGS, 1, BOOTSTRAP)
    assert report["keypoints"] == 0
    # The same rows as with keypoints, without numbers: seeds with and without them can be averaged.
    assert len(report["knockouts"]) == 3 * 6 * 4
    assert all(one.mean.value is None for one in report["knockouts"])
    assert all(one.area.value is None for one in report["curves"])
    assert all(one.correlation.value is None for one in (*report["agreements"], *report["randomised"]))
