"""Attention by products of matrices is the fused kernel's, and is chosen by processor and dtype."""

import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from tests.helpers.small_variants import noise
from transpose.models import attention_products
from transpose.models.attention_products import attend_by_products, attention_form, instructions
from transpose.models.encoder import SelfAttention


def has(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Replace the instructions of the processor."""
    monkeypatch.setattr(attention_products, "_INSTRUCTIONS", dict.fromkeys(names, True))


def arguments(dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
    query, key, value = (noise(2, 12, 3 * 4, seed=seed).to(dtype).unflatten(2, (3, 4)) for seed in range(3))
    return query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)


@pytest.mark.parametrize("block", [1, 5 * 12, 2 * 144, 5 * 144, 2**20])
def test_it_is_attention_however_the_weights_are_divided(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(attention_products, "_BLOCK_WEIGHTS", block)
    exact = arguments(torch.float64)
    expected = scaled_dot_product_attention(*exact)
    torch.testing.assert_close(attend_by_products(*exact), expected)
    rounded = attend_by_products(*arguments(torch.bfloat16))
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.double(), expected, rtol=0, atol=0.02)


@pytest.mark.parametrize(
    ("instructions", "device", "dtype", "form"),
    [
        (("avx512_bf16",), "cpu", torch.bfloat16, "products"),
        (("avx512_bf16",), "cpu", torch.float32, "fused"),
        (("avx512_bf16",), "cuda", torch.bfloat16, "fused"),
        (("avx512_bf16", "amx_bf16"), "cpu", torch.bfloat16, "fused"),
        (("avx512_bf16", "avx512_fp16"), "cpu", torch.bfloat16, "fused"),
        (("avx2",), "cpu", torch.bfloat16, "fused"),
    ],
)
def test_processor_and_dtype_decide(
    monkeypatch: pytest.MonkeyPatch, instructions: tuple[str, ...], device: str, dtype: torch.dtype, form: str
) -> None:
    has(monkeypatch, *instructions)
    assert attention_form(device, dtype) == form


def test_a_pytorch_that_does_not_know_the_processor_takes_the_fused_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert instructions() == {}
    has(monkeypatch)
    assert attention_form("cpu", torch.bfloat16) == "fused"


def test_an_encoder_uses_it_where_no_gradients_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, "avx512_bf16")
    calls: list[torch.dtype] = []
    original = attend_by_products
    monkeypatch.setattr(
        "transpose.models.encoder.attend_by_products", lambda *given: calls.append(given[0].dtype) or original(*given)
    )
    attention, tokens = SelfAttention(8, 2, dropout=0.0), noise(2, 12, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        trained = attention(tokens, None)
        assert calls == []
        with torch.inference_mode():
            found = attention(tokens, None)
    assert calls == [torch.bfloat16]
    torch.testing.assert_close(found, trained.detach(), rtol=0.02, atol=0.02)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
@torch.inference_mode()
def test_the_compiler_keeps_it_as_one_operator_of_one_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
    monkeypatch.setattr(attention_products, "_BLOCK_WEIGHTS", 12)
    has(monkeypatch, "avx512_bf16")
    given = arguments(torch.bfloat16)
    compiled = torch.compile(lambda q, k, v: attend_by_products(q, k, v) + 1, fullgraph=True, dynamic=False)
    torch.testing.assert_close(compiled(*given), attend_by_products(*given) + 1)
    attention, tokens = SelfAttention(8, 2, dropout=0.0).bfloat16(), noise(2, 12, 8).bfloat16()
    whole = torch.compile(attention, fullgraph=True, dynamic=False)
    torch.testing.assert_close(whole(tokens, None), attention(tokens, None), rtol=0.02, atol=0.02)
