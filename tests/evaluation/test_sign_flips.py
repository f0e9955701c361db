"""The sign-flip test: exact for few pairs, uniform where there is no difference."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import norm

from transpose.evaluation.sign_flips import sign_flip_p


def enumerated(differences: np.ndarray) -> float:
    """Share of all assignments of signs whose mean is as far from 0."""
    signs = np.array(list(product((-1, 1), repeat=len(differences))))
    sums = np.abs((signs * differences).sum(axis=1))
    return float((sums >= abs(differences.sum()) - 1e-9).mean())


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_few_pairs_are_enumerated(count: int) -> None:
    rng = np.random.default_rng(count)
    for shift in (0.0, 0.5, 3.0):
        differences = rng.normal(shift, 1, count)
        assert sign_flip_p(differences) == pytest.approx(enumerated(differences))


def test_equal_signs_have_the_smallest_p_and_the_smallest_depends_on_the_pairs() -> None:
    for count in (2, 3, 5, 6, 16):
        assert sign_flip_p(np.linspace(0.1, 0.2, count)) == 2.0 ** (1 - count)
        assert sign_flip_p(-np.linspace(0.1, 0.2, count)) == 2.0 ** (1 - count)


def test_no_difference_is_rejected_as_often_as_stated() -> None:
    rng = np.random.default_rng(0)
    found = np.array([sign_flip_p(rng.normal(0, 1, 8)) for _ in range(2000)], dtype=float)
    assert (found <= 0.05).mean() == pytest.approx(0.047, abs=0.015)


def test_many_pairs_are_drawn_and_agree_with_the_normal_distribution() -> None:
    differences = np.random.default_rng(1).normal(0.4, 1, 30)
    ratio = abs(differences.sum()) / np.sqrt(np.square(differences).sum())
    assert sign_flip_p(differences) == pytest.approx(2 * norm.sf(ratio), rel=0.15)
    assert sign_flip_p(differences) == sign_flip_p(differences)


@pytest.mark.parametrize("differences", [[], [0.3], [0.1, np.nan]])
def test_one_pair_or_an_undefined_difference_has_none(differences: list[float]) -> None:
    assert sign_flip_p(np.array(differences, dtype=float)) is None


def test_no_difference_at_all_is_no_evidence() -> None:
    assert sign_flip_p(np.zeros(5)) == 1
