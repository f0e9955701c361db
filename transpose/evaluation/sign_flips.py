"""Sign-flip test of the differences of paired trainings."""

import numpy as np

_MOST_EXACT = 16
"""Pairs of trainings up to which all signs are enumerated: 2 ** 15 assignments, since -x is as far from 0 as x."""

_SAMPLES = 2 ** (_MOST_EXACT - 1)


def sign_flip_p(differences: np.ndarray) -> float | None:
    """Return the two-sided p-value of the mean of paired differences [T].

    If two models were equally good, each pair of trainings could as well have the opposite difference. The p-value is
    the share of all assignments of signs with a mean at least as far from 0 as the measured one (Fisher's randomisation
    test for pairs). It assumes no distribution, and is at least 2 ** (1 - T): five pairs cannot give less than 0.0625.
    Above 16 pairs, assignments are drawn, and the measured one is added.

    Returns:
        None for fewer than two pairs, or if a difference is undefined.
    """
    if len(differences) < 2 or not np.isfinite(differences).all():
        return None
    exact = len(differences) <= _MOST_EXACT
    sums = np.abs(_signs(len(differences), exact) @ differences)
    # Sums of equal terms in another order differ by rounding.
    measured = abs(float(differences.sum())) - 1e-12 * float(np.abs(differences).sum())
    at_least = int((sums >= measured).sum())
    return at_least / len(sums) if exact else (at_least + 1) / (len(sums) + 1)


def _signs(count: int, exact: bool) -> np.ndarray:
    """Return assignments [A, T] of -1 or 1; the first sign is 1 where all are enumerated."""
    if not exact:
        return np.random.default_rng(0).choice([-1.0, 1.0], size=(_SAMPLES, count))
    bits = np.arange(2 ** (count - 1))[:, None] >> np.arange(count - 1) & 1
    return np.concatenate((np.ones((len(bits), 1)), 1.0 - 2.0 * bits), axis=1)
