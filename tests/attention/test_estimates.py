"""Means over keypoints with intervals over images, and occluded keypoints compared with visible ones."""

import numpy as np
import pytest

from transpose.attention.estimates import HIDDEN, SEEN, estimate, hidden_minus_seen, image_totals
from transpose.config.bootstrap import Bootstrap
from transpose.evaluation.intervals import Estimate

BOOTSTRAP = Bootstrap(samples=400, seed=0)


def width(found: Estimate) -> float:
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def test_nan_counts_for_nothing():
    values = np.array([[1.0, np.nan], [3.0, 5.0], [np.nan, np.nan]])
    found = estimate(values, np.array([4, 4, 9]), BOOTSTRAP)
    assert (found.value, found.count, found.images) == (3.0, 3, 1)
    # A single image does not show how images vary.
    assert (found.low, found.high) == (None, None)


def test_nothing_to_average_is_no_zero():
    found = estimate(np.full((2, 3), np.nan), np.array([1, 2]), BOOTSTRAP)
    assert (found.value, found.low, found.high, found.count) == (None, None, None, 0)
    assert estimate(np.zeros((0, 3)), np.zeros(0, dtype=np.int64), BOOTSTRAP).value is None


def test_persons_of_an_image_are_drawn_together():
    rng = np.random.default_rng(0)
    of_image = rng.normal(size=50)
    together = estimate(np.repeat(of_image, 20)[:, None], np.repeat(np.arange(50), 20), BOOTSTRAP)
    apart = estimate(np.repeat(of_image, 20)[:, None], np.arange(1000), BOOTSTRAP)
    assert together.value == pytest.approx(apart.value)
    assert width(together) > 3 * width(apart)


def test_the_interval_covers_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(100):
        found = estimate(rng.normal(2.0, 1.0, (60, 1)), np.arange(60), BOOTSTRAP)
        assert found.low is not None
        assert found.high is not None
        hits += found.low <= 2.0 <= found.high
    assert 85 <= hits <= 100


def test_totals_go_by_image():
    sums, counts = image_totals(np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]]), np.array([7, 2, 7]))
    assert sums.tolist() == [[3.0, 0.0], [6.0, 8.0]]
    assert counts.tolist() == [[1.0, 0.0], [2.0, 2.0]]


def test_a_kind_that_is_hidden_more_often_makes_no_difference_of_its_own():
    # Keypoint 1 is large and mostly hidden, keypoint 0 small and mostly seen; hidden ones have 1 more, whichever it is.
    visibility = np.array([[SEEN, HIDDEN]] * 9 + [[HIDDEN, SEEN]])
    values = np.array([0.0, 100.0]) + (visibility == HIDDEN)
    found = hidden_minus_seen(values, visibility, np.arange(10), BOOTSTRAP)
    assert found.value == pytest.approx(1)
    assert (found.low, found.high) == (pytest.approx(1), pytest.approx(1))
    assert (found.count, found.images) == (10, 10)
    hidden, seen = values[visibility == HIDDEN].mean(), values[visibility == SEEN].mean()
    assert hidden - seen > 50


def test_kinds_weigh_as_often_as_they_are_hidden():
    visibility = np.array([[HIDDEN, HIDDEN], [HIDDEN, SEEN], [HIDDEN, SEEN], [SEEN, SEEN]])
    values = np.where(visibility == HIDDEN, [2.0, 6.0], 0.0)
    assert hidden_minus_seen(values, visibility, np.arange(4), BOOTSTRAP).value == pytest.approx((3 * 2 + 6) / 4)


def test_a_kind_that_is_never_seen_has_no_say():
    visibility = np.array([[HIDDEN, HIDDEN], [SEEN, HIDDEN]])
    found = hidden_minus_seen(np.array([[3.0, 50.0], [1.0, 50.0]]), visibility, np.array([5, 6]), BOOTSTRAP)
    assert (found.value, found.count, found.images) == (pytest.approx(2), 1, 1)


@pytest.mark.parametrize("visibility", [np.full((3, 2), SEEN), np.full((3, 2), HIDDEN), np.zeros((3, 2))])
def test_without_a_pair_there_is_no_answer(visibility: np.ndarray):
    found = hidden_minus_seen(np.ones((3, 2)), visibility, np.arange(3), BOOTSTRAP)
    assert (found.value, found.low, found.high, found.count) == (None, None, None, 0)


def test_what_was_not_measured_is_left_out():
    visibility = np.array([[HIDDEN], [HIDDEN], [SEEN]])
    found = hidden_minus_seen(np.array([[4.0], [np.nan], [1.0]]), visibility, np.arange(3), BOOTSTRAP)
    assert (found.value, found.count) == (pytest.approx(3), 1)
