"""Dependence on other body parts: in a hand-made model the keypoint `seeker` needs only its neighbour, `source`."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.attention.planted import (
    DECOY,
    GRID,
    SEEKER,
    SKELETON,
    SOURCE,
    SOURCE_CELLS,
    PlantedPersons,
    planted_crop,
    planted_pose_model,
    planted_truth,
)
from transpose.attention.body_part_report import summarise
from transpose.attention.body_parts import BodyPartTest, attention_on, heatmaps_without
from transpose.attention.estimates import PerturbationResults
from transpose.attention.keypoint_regions import NeighbourhoodRegions
from transpose.attention.persons import explain_instance
from transpose.config.attention import AttentionMeasures
from transpose.config.bootstrap import Bootstrap
from transpose.config.study import EvalProtocol

PROTOCOL = EvalProtocol(decoder="argmax")
BOOTSTRAP = Bootstrap(samples=50, seed=0)
GROUPS = NeighbourhoodRegions.groups
REACH = 0.28
"""In crop widths: all four cells are within reach of the source's first cell."""


def run(persons: Any) -> PerturbationResults:
    test = BodyPartTest(planted_pose_model(PROTOCOL), AttentionMeasures())
    return test.run(persons, NeighbourhoodRegions(GRID, SKELETON, REACH))


@pytest.fixture(scope="module")
def results() -> PerturbationResults:
    return run(PlantedPersons(4))


def of(results: PerturbationResults, group: str, measure: str, keypoint: int) -> float:
    return float(np.nanmean(results.of()[group, measure][:, keypoint]))


def test_the_regions_are_what_the_test_takes_them_for():
    shares = NeighbourhoodRegions(GRID, SKELETON, REACH).of(planted_truth(), planted_truth().keypoints_xy[0])
    neighbours = np.flatnonzero(shares[SEEKER, GROUPS.index("neighbours")])
    assert set(SOURCE_CELLS) <= set(neighbours)
    assert len(neighbours) == 9


def test_the_attention_of_the_one_that_seeks_is_on_what_it_seeks(results: PerturbationResults):
    assert of(results, "neighbours", "attention_mass", SEEKER) > 0.9
    assert of(results, "neighbours", "area", SEEKER) == pytest.approx(9 / 48)
    assert of(results, "neighbours", "attention_lift", SEEKER) > 0.9 * 48 / 9
    # The others look nowhere in particular.
    assert of(results, "neighbours", "attention_lift", SOURCE) == pytest.approx(1, rel=0.01)
    assert of(results, "elsewhere", "attention_lift", DECOY) == pytest.approx(1, rel=0.01)


def test_masses_add_up_to_all_of_the_attention(results: PerturbationResults):
    masses = np.stack([results.of()[group, "attention_mass"] for group in GROUPS if group != "symmetric"])
    np.testing.assert_allclose(np.nansum(masses, axis=0), 1, rtol=1e-6)


def test_without_its_neighbour_the_seeker_is_lost(results: PerturbationResults):
    assert of(results, "neighbours", "similarity_drop", SEEKER) > 0.9
    assert of(results, "neighbours", "shift", SEEKER) > 15
    assert of(results, "neighbours", "peak_drop", SEEKER) > 0.5
    assert of(results, "neighbours", "cells_removed", SEEKER) == 9
    assert of(results, "neighbours", "similarity_drop_beyond_random", SEEKER) > 0.5
    for group in ("place", "other_keypoints"):
        assert abs(of(results, group, "similarity_drop", SEEKER)) < 0.1


def test_an_independent_keypoint_loses_nothing(results: PerturbationResults):
    for group in GROUPS:
        if group != "symmetric":
            for keypoint in (SOURCE, DECOY):
                values = results.of()[group, "similarity_drop"][:, keypoint]
                assert not values[np.isfinite(values)].any()


def test_a_place_that_is_not_there_has_no_numbers(results: PerturbationResults):
    for measure in ("area", "attention_mass", "cells_removed", "similarity_drop", "random_shift"):
        assert np.isnan(results.of()["symmetric", measure]).all()


def test_a_place_smaller_than_a_cell_is_not_there():
    shares = np.zeros((1, 2, 48))
    shares[0, 0, 3], shares[0, 1] = 0.9, 1
    shares[0, 1, 3] = 0.1
    found = attention_on(np.full((1, 48), 1 / 48), shares)
    assert np.isnan([found[name][0, 0] for name in ("area", "attention_mass", "attention_lift")]).all()
    assert found["attention_lift"][0, 1] == pytest.approx(1)


def test_each_set_of_cells_is_taken_away_once_and_its_control_is_as_large_and_fair():
    crop, truth = torch.from_numpy(planted_crop()), planted_truth()
    model = planted_pose_model(PROTOCOL)
    person = explain_instance(model, crop, lambda points: truth.similarity(points, SKELETON) > 0.5)
    asked: list[np.ndarray] = []

    def masking(kept: np.ndarray) -> torch.Tensor:
        asked.append(kept)
        keypoint = torch.arange(3.0)[None, :, None, None]
        return (torch.arange(float(len(kept)))[:, None, None, None] * 10 + keypoint).expand(-1, -1, 8, 6)

    removed = np.zeros((3, 2, 48), dtype=bool)
    removed[:, 0, :5] = True
    removed[0, 1, 7] = removed[1, 1, 7] = removed[2, 1, 9] = True
    heatmaps = heatmaps_without(masking, person, removed, np.random.default_rng(0))
    assert heatmaps.shape == (2, 2, 3, 8, 6)
    (kept,) = asked
    sets, control = ~kept[:3], ~kept[3:]
    for group in range(2):
        for keypoint in range(3):
            case, of_keypoint = divmod(int(heatmaps[0, group, keypoint, 0, 0]), 10)
            np.testing.assert_array_equal(sets[case], removed[keypoint, group])
            assert of_keypoint == keypoint
            case, of_keypoint = divmod(int(heatmaps[1, group, keypoint, 0, 0]), 10)
            assert of_keypoint == keypoint
            at_random = control[case - 3]
            assert at_random.sum() == removed[keypoint, group].sum()
            # Random cells in the place of others spare the keypoint's own place as those do.
            assert group == 0 or not (at_random & removed[keypoint, 0]).any()


def summary(results: PerturbationResults, visibility: np.ndarray) -> dict[str, Any]:
    return summarise(results, visibility, GROUPS, BOOTSTRAP)


def test_hidden_and_seen_keypoints_have_rows_of_their_own(results: PerturbationResults):
    visibility = np.full((4, 3), 2)
    visibility[:2, SEEKER] = 1
    report = summary(results, visibility)
    assert [(one.keypoints, one.labelled, one.found_well) for one in report["keypoints"]] == [
        ("hidden", 2, 2),
        ("seen", 10, 10),
    ]
    rows = {(row.group, row.keypoints, row.measure): row for row in report["rows"]}
    hidden = rows["neighbours", "hidden", "similarity_drop"]
    assert hidden.mean.value > 0.9
    assert (hidden.mean.count, hidden.persons, hidden.mean.images) == (2, 2, 2)
    seen = rows["neighbours", "seen", "similarity_drop"]
    # Two seekers and four sources; the decoy has no neighbour.
    assert (seen.mean.count, seen.persons) == (6, 4)
    assert seen.mean.value == pytest.approx(hidden.mean.value / 3, abs=0.01)
    differences = {(one.group, one.measure): one.hidden_minus_seen for one in report["differences"]}
    # A hidden seeker is as lost as a seen one.
    assert differences["neighbours", "similarity_drop"].value == pytest.approx(0)
    assert differences["neighbours", "similarity_drop"].count == 2
    assert differences["symmetric", "attention_mass"].value is None


def test_without_hidden_keypoints_there_is_no_number_and_not_zero(results: PerturbationResults):
    report = summary(results, np.full((4, 3), 2))
    assert report["keypoints"][0].labelled == 0
    for row in report["rows"]:
        assert (row.mean.value is None) == (row.keypoints == "hidden" or row.group == "symmetric")
    for one in report["differences"]:
        assert (one.hidden_minus_seen.value, one.hidden_minus_seen.low, one.hidden_minus_seen.count) == (None, None, 0)


def test_without_well_found_keypoints_there_is_no_number():
    persons: Any = PlantedPersons(2)
    persons.truth.keypoints_xy[:] += 1000
    report = summary(run(persons), persons.truth.visibility)
    assert [one.found_well for one in report["keypoints"]] == [0, 0]
    assert all(row.mean.value is None and row.persons == 0 for row in report["rows"])


def test_a_keypoint_without_cell_of_a_group_leaves_the_others_in_peace(results: PerturbationResults):
    persons: Any = PlantedPersons(1)
    persons.truth.visibility[0, DECOY] = 0
    alone = run(persons)
    assert np.isnan(alone.of()["other_keypoints", "attention_mass"][0, SEEKER])
    assert of(alone, "neighbours", "attention_mass", SEEKER) == of(results, "neighbours", "attention_mass", SEEKER)
