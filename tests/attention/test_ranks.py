import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from transpose.attention.ranks import mean_ranks, rank_correlation


def test_it_is_spearmans_along_the_last_axis():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 6, (3, 4, 20)), rng.random((3, 4, 20))
    found = rank_correlation(a, b)
    for place in np.ndindex(3, 4):
        assert found[place] == pytest.approx(spearmanr(a[place], b[place])[0])


def test_a_constant_has_no_order():
    assert np.isnan(rank_correlation(np.ones(5), np.arange(5)))


@pytest.mark.parametrize("shape", [(1,), (9,), (0, 4), (3, 4, 20)])
@pytest.mark.parametrize("kinds", [1, 3, 1000])
def test_equal_values_share_the_mean_of_their_ranks(shape: tuple[int, ...], kinds: int):
    values = np.random.default_rng(kinds).integers(0, kinds, shape).astype(float)
    np.testing.assert_array_equal(mean_ranks(values), rankdata(values, axis=-1))


def test_what_holds_nan_has_no_order():
    values = np.array([[3.0, np.nan, 1.0], [3.0, 2.0, 1.0]])
    assert np.isnan(rank_correlation(values, np.arange(3.0))).tolist() == [True, False]
    np.testing.assert_array_equal(mean_ranks(values), rankdata(values, axis=-1))
