"""Attention with dropout on a CPU: exact gradients, the stated probability, the same masks for one seed."""

import pytest
import torch
from torch import Tensor

from tests.helpers.small_variants import noise
from transpose.models import attention_blocks
from transpose.models.attention_blocks import attend_in_blocks
from transpose.models.encoder import SelfAttention


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several blocks a head, the last one shorter."""
    monkeypatch.setattr(attention_blocks, "_BLOCK_WEIGHTS", 5 * 12)


def arguments(dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    query, key, value = (noise(2, 3, 12, 4, seed=seed).to(dtype).requires_grad_() for seed in range(3))
    return query, key, value


def seeded(query: Tensor, key: Tensor, value: Tensor, probability: float = 0.3) -> Tensor:
    torch.manual_seed(5)
    return attend_in_blocks(query, key, value, probability)


def kept_weights(query: Tensor, key: Tensor, probability: float) -> Tensor:
    """The weights after dropout: with the identity as values, attention returns them."""
    length = query.shape[-2]
    return seeded(query, key, torch.eye(length, dtype=query.dtype).expand(*query.shape[:2], -1, -1), probability)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_it_is_attention_with_the_mask_applied_to_the_weights(dtype: torch.dtype) -> None:
    query, key, value = arguments(dtype)
    kept = kept_weights(query, key, 0.3)
    weights = torch.softmax(query @ key.transpose(-1, -2) / 2, -1)
    dropped = kept == 0
    assert 0.2 < dropped.double().mean() < 0.4
    scale = 65536 / (65536 - round(0.3 * 65536))
    rtol, atol = (0.03, 0.01) if dtype == torch.bfloat16 else (1e-5, 1e-6)
    torch.testing.assert_close(kept, weights.masked_fill(dropped, 0) * scale, rtol=rtol, atol=atol)
    torch.testing.assert_close(seeded(query, key, value), kept @ value, rtol=rtol, atol=atol)


def test_the_gradients_are_exact() -> None:
    assert torch.autograd.gradcheck(seeded, arguments())


def test_bf16_gradients_are_those_of_fp32_rounded() -> None:
    exact, rounded = arguments(torch.float32), arguments(torch.bfloat16)
    for expected, found in zip(
        *(torch.autograd.grad(seeded(*given).sum(), given) for given in (exact, rounded)), strict=True
    ):
        assert found.dtype == torch.bfloat16
        torch.testing.assert_close(found.float(), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize(("probability", "words"), [(0.1, 6554), (0.5, 32768)])
def test_weights_are_dropped_with_the_stated_probability(probability: float, words: int) -> None:
    query, key = torch.zeros(8, 8, 64, 4), torch.zeros(8, 8, 64, 4)
    kept = kept_weights(query, key, probability)
    share = (kept == 0).double().mean().item()
    draws, stated = kept.numel(), words / 65536
    assert abs(share - stated) < 4 * (stated * (1 - stated) / draws) ** 0.5
    assert kept.max().item() == pytest.approx(1 / 64 / (1 - stated), rel=1e-6)


def test_masks_differ_between_heads_images_rows_and_draws() -> None:
    query = torch.zeros(2, 3, 64, 4)
    dropped = kept_weights(query, query, 0.5) == 0
    assert len({tuple(row) for row in dropped.flatten(0, 2).tolist()}) == 2 * 3 * 64
    first, second = (attend_in_blocks(query, query, query + 1, 0.5) for _ in range(2))
    assert not torch.equal(first, second)


def test_the_masks_depend_on_the_seed_alone() -> None:
    threads = torch.get_num_threads()
    try:
        outputs = []
        for number in (1, 2):
            torch.set_num_threads(number)
            outputs.append(seeded(*arguments()))
    finally:
        torch.set_num_threads(threads)
    torch.testing.assert_close(outputs[0], outputs[1], rtol=1e-12, atol=0)


def test_self_attention_drops_in_training_only() -> None:
    torch.manual_seed(0)
    attention, tokens = SelfAttention(8, 2, dropout=0.5), noise(2, 12, 8)
    assert not torch.equal(attention(tokens, None), attention(tokens, None))
    attention.eval()
    assert torch.equal(attention(tokens, None), attention(tokens, None))
