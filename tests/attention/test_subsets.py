"""Attention restricted to subsets of tokens is that of the kernel with a mask."""

import pytest
import torch
from torch import Tensor

from transpose.attention.subsets import AttentionToSubsets, attend_to

TOKENS = 12


def attention_inputs(spread: float) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn((1, 2, TOKENS, 8), generator=generator) for _ in range(3))
    return [spread * query, key, value]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("spread", [1.0, 10.0, 100.0])
def test_attention_to_subsets_is_that_of_the_kernel(spread: float, share: float) -> None:
    """Scores up to some hundreds: the weights of most subsets are zero relative to the largest one."""
    inputs = attention_inputs(spread)
    kept = torch.rand((40, TOKENS), generator=torch.Generator().manual_seed(1)) < share
    kept[:2] = torch.tensor([[True], [False]])
    expected = attend_to(kept)(*(part.expand(len(kept), -1, -1, -1) for part in inputs))
    torch.testing.assert_close(AttentionToSubsets(*inputs)(kept), expected, rtol=1e-4, atol=1e-6)


def test_with_all_tokens_kept_it_is_the_kernel_to_the_bit() -> None:
    query, key, value = attention_inputs(1.0)
    kept = torch.ones((3, TOKENS), dtype=torch.bool)
    kept[1, 4] = False
    found = AttentionToSubsets(query, key, value)(kept)
    whole = torch.nn.functional.scaled_dot_product_attention(query, key, value)[0]
    assert torch.equal(found[0], whole)
    assert torch.equal(found[2], whole)
    assert not torch.allclose(found[1], whole)
