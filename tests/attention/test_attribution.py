"""Rank correlation of attributions."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from transpose.attention.attribution import rank_correlation


def test_it_is_spearmans_along_the_last_axis():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, (3, 4, 20)), rng.random((3, 4, 20))
    found = rank_correlation(a, b)
    for place in np.ndindex(3, 4):
        assert found[place] == pytest.approx(spearmanr(a[place], b[place])[0])


def test_a_constant_has_no_order():
    assert np.isnan(rank_correlation(np.ones(5), np.arange(5)))


def test_what_holds_nan_has_no_order():
    values = np.array([[3.0, np.nan, 1.0], [3.0, 2.0, 1.0]])
    assert np.isnan(rank_correlation(values, np.arange(3.0))).tolist() == [True, False]
