"""Rank correlation."""

import numpy as np


def rank_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlation [...] along the last axis of a and b [..., N].

    NaN where one of them is constant or contains NaN.
    """
    ranks_a, ranks_b = mean_ranks(a), mean_ranks(b)
    a_from_mean, b_from_mean = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (ranks_a, ranks_b))
    spread = np.sqrt((a_from_mean**2).sum(axis=-1) * (b_from_mean**2).sum(axis=-1))
    together = (a_from_mean * b_from_mean).sum(axis=-1)
    return np.divide(together, spread, out=np.full(together.shape, np.nan), where=spread > 0)


def mean_ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks of values [..., N] along the last axis, starting at 1; equal values get the mean of their ranks.

    Same as `scipy.stats.rankdata`, which takes a second to import. All NaN along an axis that contains NaN.
    """
    order = np.argsort(values, axis=-1)
    ascending = np.take_along_axis(values, order, axis=-1)
    place = np.arange(values.shape[-1])
    differs = ascending[..., 1:] != ascending[..., :-1]
    edge = np.ones((*values.shape[:-1], 1), dtype=bool)
    first = np.maximum.accumulate(np.where(np.concatenate([edge, differs], axis=-1), place, 0), axis=-1)
    last_from_end = np.where(np.concatenate([differs, edge], axis=-1), place, values.shape[-1])[..., ::-1]
    last = np.minimum.accumulate(last_from_end, axis=-1)[..., ::-1]
    ranks = np.empty(values.shape)
    np.put_along_axis(ranks, order, 1 + (first + last) / 2, axis=-1)
    ranks[np.isnan(values).any(axis=-1)] = np.nan
    return ranks
