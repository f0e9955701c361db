"""Attention of one person restricted to subsets of the tokens, many subsets at a time."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from transpose.models.encoder import Attend

_LEAST_WEIGHT = 1e-30
"""Sum of weights, 1 for the token with the largest score, below which they have lost digits."""

_LEAST_SHARE = 1 / 64
"""Kept share of the sum of weights, below which its difference from the whole sum has lost more than 6 bits."""


class AttentionToSubsets:
    """Attention restricted to one subset of tokens after another; the scores are computed once.

    The sum over the kept tokens, weighted by the exponentials of their scores, is divided by the sum of these weights.
    Of large subsets both sums are computed over the other tokens, and subtracted from those over all tokens.
    """

    def __init__(self, query: Tensor, key: Tensor, value: Tensor) -> None:
        """Compute the weights of all tokens from [1, heads, L, dim / heads] each."""
        self._inputs = query, key, value
        scores = key[0] @ query[0].transpose(1, 2) / math.sqrt(query.shape[-1])
        self._weights = (scores - scores.amax(dim=1, keepdim=True)).exp()  # [heads, L keys, L queries]
        # The last column of a sum is that of the weights.
        self._values = F.pad(value[0], (0, 1), value=1.0)
        self._sums_over_all = self._weights.transpose(1, 2) @ self._values

    def __call__(self, kept: Tensor) -> Tensor:
        """Return the outputs [N, heads, L, dim / heads] for kept tokens, [N, L] bool.

        With all tokens kept they are those of the kernel, to the last bit.
        """
        is_large = kept.sum(dim=1) > kept.shape[1] // 2
        sums = self._sums_over(torch.where(is_large[:, None], ~kept, kept))
        sums[is_large] = self._sums_over_all - sums[is_large]
        weights = sums[..., -1:]
        least = torch.where(is_large[:, None, None, None], _LEAST_SHARE * self._sums_over_all[..., -1:], _LEAST_WEIGHT)
        outputs = sums[..., :-1] / weights
        exactly = (weights < least).flatten(1).any(dim=1) | kept.all(dim=1)
        if exactly.any():
            inputs = (part.expand(int(exactly.sum()), -1, -1, -1) for part in self._inputs)
            outputs[exactly] = attend_to(kept[exactly])(*inputs)
        return outputs

    def _sums_over(self, chosen: Tensor) -> Tensor:
        """Return the sums [N, heads, L, dim / heads + 1] over the chosen tokens, [N, L] bool."""
        sums = self._values.new_empty(len(chosen), *self._values.shape)
        counts = chosen.sum(dim=1)
        for count in counts.unique().tolist():
            subsets = (counts == count).nonzero()[:, 0]
            tokens, shape = chosen[subsets].nonzero()[:, 1], (len(subsets), count)
            weights, values = (part[:, tokens].unflatten(1, shape) for part in (self._weights, self._values))
            sums[subsets] = (weights.transpose(2, 3) @ values).transpose(0, 1)
        return sums


def attend_to(kept: Tensor) -> Attend:
    """Return attention restricted to the kept tokens, [B, L] bool, of each person of the batch."""

    def attend(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        # The kernel returns zero for a query with all keys masked.
        return F.scaled_dot_product_attention(query, key, value, attn_mask=kept[:, None, None, :])

    return attend
