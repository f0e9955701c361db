"""Attention statistics of a model with known attention."""

from typing import Any

import numpy as np
import pytest

from tests.attention.planted import (
    GRID,
    SEEKER,
    SEEKER_CELL,
    SOURCE,
    SOURCE_CELLS,
    PlantedPersons,
    planted_pose_model,
)
from transpose.attention.regions import OTHER, OWN
from transpose.attention.statistics import MEASURES, AttentionStatistics, Tally, masses, normalised_entropy
from transpose.attention.statistics_report import differences, matrices, statistics
from transpose.config.bootstrap import Bootstrap
from transpose.config.study import EvalProtocol

BOOTSTRAP = Bootstrap(samples=50, seed=0)


class PlantedRegions:
    """The sources are another person's, the rest of the lower half is the person's own."""

    def shares(self, truth: Any, grid: Any) -> np.ndarray:
        shares = np.zeros((len(truth), 3, GRID.tokens))
        shares[:, 2] = 1
        shares[:, 2, 24:] = 0
        shares[:, OWN, 24:] = 1
        shares[:, OWN, list(SOURCE_CELLS)] = 0
        shares[:, OTHER, list(SOURCE_CELLS)] = 1
        return shares


def gather(persons: PlantedPersons) -> Tally:
    some: Any = persons
    regions: Any = PlantedRegions()
    return AttentionStatistics(planted_pose_model(EvalProtocol(decoder="argmax")), 6 / 24).gather(some, regions)


def means(tally: Tally, visibility: str = "visible") -> dict[str, float | None]:
    found = statistics(tally, BOOTSTRAP)
    return {one.measure: one.mean.value for one in found if one.visibility == visibility and one.head is None}


@pytest.fixture
def persons() -> PlantedPersons:
    """In the second image the seeker is occluded."""
    persons = PlantedPersons(2)
    persons.truth.visibility[1, SEEKER] = 1
    return persons


def test_occluded_and_visible_keypoints_are_apart(persons: PlantedPersons):
    tally = gather(persons)
    # The seeker alone is occluded once; its attention is all on the four sources.
    occluded = means(tally, "occluded")
    assert occluded["other_people"] == pytest.approx(1, abs=1e-3)
    assert occluded["own_body"] == pytest.approx(0, abs=1e-3)
    assert occluded["entropy"] == pytest.approx(np.log(4) / np.log(48), abs=1e-2)
    # A limb ties it to the source, whose neighbourhood of 6 pixels holds three of the four.
    assert occluded["relatives"] == pytest.approx(0.75, abs=1e-3)
    assert occluded["partner"] is None
    assert occluded["near"] == pytest.approx(0, abs=1e-3)
    sources = np.array([(cell % 6, cell // 6) for cell in SOURCE_CELLS])
    expected = np.linalg.norm(sources - (SEEKER_CELL % 6, SEEKER_CELL // 6), axis=1).mean()
    assert occluded["distance"] == pytest.approx(expected, abs=1e-2)
    assert occluded["distance_in_heights"] == pytest.approx(expected / 8, abs=1e-2)


def test_the_matrix_has_the_keypoint_that_looks_in_its_rows(persons: PlantedPersons):
    arrays = matrices(gather(persons), BOOTSTRAP)
    occluded, visible = arrays["mass"][-1, -1]
    assert occluded[SEEKER, SOURCE] == pytest.approx(0.75, abs=1e-3)
    assert np.isnan(occluded[SOURCE]).all()
    assert arrays["lift"][-1, -1, 1, SOURCE, SEEKER] == pytest.approx(1, rel=1e-3)  # it looks nowhere in particular
    assert arrays["pairs"][:, SEEKER, SOURCE].tolist() == [1, 1]
    assert arrays["pairs"][:, SOURCE, SEEKER].tolist() == [0, 2]
    assert visible.shape == (3, 3)


def test_differences_are_of_the_named_sides(persons: PlantedPersons):
    contrasts = differences(gather(persons), BOOTSTRAP)
    found = {(one.what, one.measure): one.mean for one in contrasts}
    # The visible ones: the seeker once, and source and decoy, twice each, which attend uniformly.
    looking = means(gather(persons), "occluded")["relatives_lift"]
    visible = means(gather(persons))["relatives_lift"]
    assert looking is not None
    assert visible is not None
    assert found["occluded_minus_visible", "relatives_lift"].value == pytest.approx(looking - visible)
    (contrast,) = (one for one in contrasts if (one.what, one.measure) == ("occluded_minus_visible", "distance"))
    assert (contrast.mean.count, contrast.subtracted) == (1, 5)
    assert found["last_minus_first_layer", "distance"].value == 0  # there is but one layer


def test_nothing_labelled_is_no_zero():
    persons = PlantedPersons(2)
    persons.truth.visibility[:] = 0
    tally = gather(persons)
    assert all(value is None for value in means(tally).values())
    assert all(one.mean.value is None for one in differences(tally, BOOTSTRAP))
    assert np.isnan(matrices(tally, BOOTSTRAP)["lift"]).all()


def test_a_keypoint_outside_of_the_crop_has_no_neighbourhood():
    persons = PlantedPersons(2)
    persons.truth.keypoints_xy[:, SOURCE] = (-40, 5)
    arrays = matrices(gather(persons), BOOTSTRAP)
    assert np.isnan(arrays["mass"][-1, -1, 1, :, SOURCE]).all()
    assert means(gather(persons))["relatives"] is not None  # the source's own relative, the seeker, is there


def test_entropy_of_uniform_and_of_a_single_cell():
    rows = np.stack((np.full(48, 1 / 48), np.eye(48)[3]))
    np.testing.assert_allclose(normalised_entropy(rows), [1, 0], atol=1e-12)


def test_uniform_attention_is_one_on_every_neighbourhood():
    near = np.zeros((3, 48), dtype=bool)
    near[0, :5], near[1, 40:] = True, True
    mass, lift = masses(np.full((2, 3, 48), 1 / 48), near)
    np.testing.assert_allclose(lift[:, :, :2], 1)
    np.testing.assert_allclose(mass[:, :, 0], 5 / 48)
    assert not mass[:, :, 2].any()


def test_every_measure_of_every_head_is_reported(persons: PlantedPersons):
    found = statistics(gather(persons), BOOTSTRAP)
    assert len(found) == 1 * 2 * 2 * len(MEASURES)
    assert {one.head for one in found} == {1, None}
