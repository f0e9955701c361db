"""Intervals over images and trainings, and what would make a difference clear."""

import math

import numpy as np
import pytest

from transpose.config.base import Settings
from transpose.evaluation.intervals import Estimate, Resamples, draws_of, estimate_of, estimates_in, with_draws

NOTHING = Estimate(value=None, low=None, high=None, count=0, images=0)
T_1, T_9 = 12.7062, 2.26216
"""97.5 % quantiles of Student's distribution with 1 and 9 degrees of freedom."""


def resamples(values: list[float], images: int = 10, noise: float = 0.1, bias: float = 0.0) -> Resamples:
    """Trainings that vary with the images alike."""
    # A half of the resamples is above and a half below: the standard deviation is the noise, but for n - 1.
    spread = noise * np.tile([-1.0, 1.0], 5000)
    return Resamples(np.array(values), np.array(values)[:, None] + bias + spread, images)


def ends(found: Resamples, level: float = 0.95) -> tuple[float, float]:
    interval = found.interval(level)
    assert interval is not None
    return interval


def test_one_training_varies_with_its_images():
    half = T_9 * 0.1 * math.sqrt(10 / 9)
    assert ends(resamples([0.5])) == pytest.approx((0.5 - half, 0.5 + half), rel=1e-3)


def test_trainings_and_images_add_in_squares():
    of_images, of_trainings = T_9 * 0.1 * math.sqrt(10 / 9), T_1 * 0.01
    half = math.hypot(of_images, of_trainings)
    found = resamples([0.49, 0.51])
    assert found.value == 0.5
    assert ends(found) == pytest.approx((0.5 - half, 0.5 + half), rel=1e-3)


def test_the_parts_of_the_width_are_those_of_images_and_trainings_alone():
    spread = resamples([0.49, 0.51]).spread()
    assert spread is not None
    of_images, of_trainings = spread.half_widths(0.95)
    assert of_images == pytest.approx(T_9 * 0.1 * math.sqrt(10 / 9), rel=1e-3)
    assert of_trainings == pytest.approx(T_1 * 0.01)
    assert math.hypot(of_images, of_trainings) == pytest.approx(spread.half_width(0.95, 10, 2))
    alone = resamples([0.5]).spread()
    assert alone is not None
    assert alone.half_widths(0.95)[1] == 0


def test_what_images_do_to_single_trainings_counts_once():
    rng = np.random.default_rng(0)
    draws = rng.normal(0, 0.1, (2, 20_000))
    spread = Resamples(np.array([0.0, 0.2]), draws, 1000).spread()
    assert spread is not None
    assert spread.shared == pytest.approx(0, abs=2e-4)
    assert spread.own == pytest.approx(0.01, rel=0.03)
    assert spread.between == pytest.approx(0.02)
    assert spread.half_width(0.95, 1000, 2) == pytest.approx(T_1 * 0.1, rel=0.02)
    # A hundred times the images leave the variance that is not theirs.
    assert spread.half_width(0.95, 100_000, 2) == pytest.approx(T_1 * math.sqrt((0.01 + 0.0001) / 2), rel=0.02)


def test_trainings_that_happen_to_be_equal_are_as_close_as_they_are():
    draws = np.random.default_rng(0).normal(0, 0.1, (2, 20_000))
    spread = Resamples(np.array([0.1, 0.1]), draws, 1000).spread()
    assert spread is not None
    assert spread.half_width(0.95, 1000, 2) == pytest.approx(0, abs=0.03)
    assert spread.half_width(0.95, 2000, 2) < spread.half_width(0.95, 1000, 2) + 1e-9


def test_the_bias_of_resampling_is_taken_off_and_the_estimate_stays_inside():
    low, high = ends(resamples([0.5], images=1000, noise=0.01, bias=-0.01))
    assert (low + high) / 2 == pytest.approx(0.51, abs=1e-6)
    low, high = ends(resamples([0.5], images=1000, noise=0.01, bias=-0.1))
    assert low == 0.5
    assert high == pytest.approx(0.62, abs=1e-3)


class TestFractions:
    def test_near_a_limit_the_interval_is_longer_on_the_other_side(self):
        low, high = resamples([0.05], images=1000, noise=0.02).interval_of_fraction() or (0, 0)
        assert 0 < low < 0.05 - 0.015
        assert high > 0.05 + 1.96 * 0.02
        other = resamples([0.95], images=1000, noise=0.02).interval_of_fraction()
        assert other == pytest.approx((1 - high, 1 - low))

    def test_far_from_the_limits_it_is_the_usual_one(self):
        found = resamples([0.5], images=1000, noise=0.01)
        assert found.interval_of_fraction() == pytest.approx(ends(found), abs=1e-4)

    @pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
    def test_what_does_not_vary_is_a_point(self, value: float):
        assert resamples([value], noise=0.0).interval_of_fraction() == (value, value)

    def test_it_stays_within_the_limits(self):
        assert resamples([0.1, 0.9], noise=0.5).interval_of_fraction() == pytest.approx((0, 1), abs=1e-6)
        assert resamples([0.0], noise=0.1).interval_of_fraction() == pytest.approx((0, 0.2385), abs=1e-3)
        assert resamples([math.nan]).interval_of_fraction() is None


@pytest.mark.parametrize(
    "found",
    [
        resamples([0.5], images=1),
        resamples([math.nan, 0.5]),
        Resamples(np.array([0.5]), np.full((1, 30), np.nan), 9),
    ],
)
def test_without_images_or_values_there_is_no_interval(found: Resamples):
    assert found.interval() is None
    assert (found.needed().trainings, found.needed().images) == (None, None)


def test_resamples_without_a_value_are_left_out():
    found = resamples([0.5, 0.5])
    found.draws[0, ::3] = np.nan
    assert ends(found) == pytest.approx(ends(resamples([0.5, 0.5])), rel=0.01)


def test_differences_are_paired():
    first, second = resamples([0.5, 0.7]), resamples([0.4, 0.6])
    difference = first.minus(second)
    assert difference.value == pytest.approx(0.1)
    assert ends(difference) == pytest.approx((0.1, 0.1))
    assert Resamples.joined([resamples([0.5]), resamples([0.7])]).interval() == first.interval()


class TestNeeded:
    def test_enough_images_make_a_difference_clear_four_times_in_five(self):
        rng = np.random.default_rng(0)
        needed = resamples([0.1], images=10, noise=0.1).needed().images
        assert needed is not None
        error = 0.1 * math.sqrt(10 / 9) * math.sqrt(10 / needed)
        clear = rng.normal(0.1, error, 20_000) > T_9 * error
        assert clear.mean() == pytest.approx(0.8, abs=0.03)

    def test_enough_trainings_make_a_difference_clear(self):
        found = resamples([0.0, 0.2], images=1000, noise=1e-6)
        assert found.needed().trainings == 18
        spread = found.spread()
        assert spread is not None
        assert spread.would_be_clear(0.1, 0.95, 1000, 18)
        assert not spread.would_be_clear(0.1, 0.95, 1000, 17)

    def test_a_single_training_needs_images_but_cannot_count_trainings(self):
        needed = resamples([0.01], images=50).needed()
        assert needed.trainings is None
        assert needed.images is not None
        assert needed.images > 50

    def test_no_number_of_images_is_enough_for_trainings_that_differ_more(self):
        assert resamples([-0.5, 0.51]).needed().images is None

    def test_nothing_makes_zero_clear(self):
        needed = resamples([-0.1, 0.1]).needed()
        assert (needed.trainings, needed.images) == (None, None)


class Report(Settings):
    """Estimates at several depths."""

    first: Estimate
    others: tuple[tuple[Estimate, ...], ...]
    number: int = 3


def test_resamples_of_a_report_come_back_in_order():
    one, two = (estimate_of(resamples([value]), count=4, level=0.95) for value in (0.25, 0.5))
    report = Report(first=one, others=((NOTHING,), (two,)))
    draws = draws_of(report)
    assert (draws.shape, draws.dtype) == ((3, 10_000), np.float32)
    assert np.isnan(draws[1]).all()
    read = with_draws(Report.model_validate(report.model_dump()), draws)
    assert read == report
    for before, after in zip(estimates_in(report), estimates_in(read), strict=True):
        assert after.draws is not None
        if before.draws is not None:
            np.testing.assert_allclose(after.draws, before.draws, rtol=1e-6)
    with pytest.raises(ValueError, match="another number of estimates"):
        with_draws(read, draws[1:])
    assert len(draws_of(Report(first=NOTHING, others=()))) == 1
