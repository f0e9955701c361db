import numpy as np
import pytest
from scipy.stats import spearmanr

from transpose.attention.ranks import rank_correlation


def test_it_is_spearmans_along_the_last_axis():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, (3, 4, 20)), rng.random((3, 4, 20))
    found = rank_correlation(a, b)
    for place in np.ndindex(3, 4):
        assert found[place] == pytest.approx(spearmanr(a[place], b[place])[0])


def test_a_constant_has_no_order():
    assert np.isnan(rank_correlation(np.ones(5), np.arange(5)))
