"""Occluded keypoints compared with visible ones of the same kind."""

import numpy as np
import pytest

from transpose.attention.occluded_keypoints import HIDDEN, SEEN, hidden_minus_seen
from transpose.evaluation.report import Bootstrap

BOOTSTRAP = Bootstrap(samples=200, seed=0)


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
