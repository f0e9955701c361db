"""Rank correlation."""

import numpy as np
from scipy.stats import rankdata


def rank_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation along the last axis of a and b [..., N]: [...]; NaN where one of them is constant."""
    ranks_a, ranks_b = (rankdata(values, axis=-1) for values in (a, b))
    a_from_mean, b_from_mean = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (ranks_a, ranks_b))
    spread = np.sqrt((a_from_mean**2).sum(axis=-1) * (b_from_mean**2).sum(axis=-1))
    together = (a_from_mean * b_from_mean).sum(axis=-1)
    return np.divide(together, spread, out=np.full(together.shape, np.nan), where=spread > 0)
