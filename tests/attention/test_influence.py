"""Agreement of keypoint-to-keypoint matrices."""

import numpy as np
import pytest

from transpose.attention.attribution import rank_correlation
from transpose.attention.estimates import image_samples
from transpose.attention.influence import agreement
from transpose.config.bootstrap import Bootstrap

BOOTSTRAP = Bootstrap(samples=100, seed=0)
IMAGES = np.repeat(np.arange(10), 2)


def matrices(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((20, 4, 4))


def test_a_matrix_agrees_with_its_own_order_and_not_with_the_opposite():
    said = matrices()
    assert agreement(said, said * 3 + 1, IMAGES, BOOTSTRAP).value == pytest.approx(1)
    opposite = agreement(said, -said, IMAGES, BOOTSTRAP)
    assert opposite.value == pytest.approx(-1)
    assert opposite.high is not None
    assert opposite.high < 0


def test_the_diagonal_does_not_count():
    said, other = matrices(), matrices()
    other[:, np.arange(4), np.arange(4)] *= -100
    assert agreement(said, other, IMAGES, BOOTSTRAP).value == pytest.approx(1)


def test_unrelated_matrices_are_undecided():
    found = agreement(matrices(0), matrices(1), IMAGES, BOOTSTRAP)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high


def test_pairs_without_values_are_left_out():
    said, other = matrices(), matrices()
    said[:, 0, 1] = np.nan
    other[:5, 2] = np.nan
    found = agreement(said, other, IMAGES, BOOTSTRAP)
    assert found.value is not None
    assert found.count == 20 * 11 - 5 * 3


def test_without_effects_there_is_no_answer():
    found = agreement(matrices(), np.zeros((20, 4, 4)), IMAGES, BOOTSTRAP)
    assert (found.value, found.low, found.high) == (None, None, None)
    assert agreement(np.full((20, 4, 4), np.nan), matrices(), IMAGES, BOOTSTRAP).value is None


def test_resamples_use_the_pairs_that_they_have():
    said, other = matrices(), matrices(1)
    # A pair that only two images have is in some resamples and not in others.
    said[4:, 0, 1] = np.nan
    found = agreement(said, other, IMAGES, BOOTSTRAP)
    pairs = ~np.eye(4, dtype=bool)
    known = np.where(np.isfinite(said), other, np.nan)
    drawn = []
    for weights in image_samples(10, BOOTSTRAP):
        persons = np.repeat(np.arange(20), np.repeat(weights, 2))
        here = pairs & np.isfinite(said[persons]).any(axis=0)
        means = (np.nanmean(one[persons][:, here], axis=0) for one in (said, known))
        drawn.append(float(rank_correlation(*means)))
    assert found.draws is not None
    assert [found.value, *found.draws] == pytest.approx(drawn)
