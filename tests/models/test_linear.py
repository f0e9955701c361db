"""Products by oneDNN are those of PyTorch's linear layer, and gradients are computed by it."""

import platform
from collections.abc import Iterator

import pytest
import torch
from torch.nn.functional import linear as linear_layer

from tests.helpers.small_variants import noise
from transpose.models import linear
from transpose.models.linear import has_onednn, linear_by_onednn


@pytest.fixture(autouse=True)
def uses_it_for_small_products(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(linear, "_LEAST_PRODUCTS", 0)
    has_onednn.cache_clear()
    yield
    has_onednn.cache_clear()


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 0.05)]
)
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("has_bias", [True, False])
@torch.no_grad()
def test_it_is_the_linear_layer(
    dtype: torch.dtype, tolerance: float, machine: str, has_bias: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: machine)
    x, weight, bias = noise(3, 5, 8), noise(6, 8, seed=1).to(dtype), noise(6, seed=2) if has_bias else None
    expected = linear_layer(x.double(), weight.double(), None if bias is None else bias.double())
    for given in (weight, weight.t().contiguous().t()):
        found = linear_by_onednn(x, given, bias)
        assert found.dtype == dtype
        torch.testing.assert_close(found.double(), expected, rtol=tolerance, atol=tolerance)


@torch.no_grad()
def test_a_processor_without_bf16_instructions_computes_by_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False, raising=False)
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", None, raising=False)
    x, weight = noise(3, 8).bfloat16(), noise(6, 8, seed=1).bfloat16()
    assert not has_onednn(torch.bfloat16)
    torch.testing.assert_close(linear_by_onednn(x, weight), linear_layer(x, weight))


def test_gradients_are_those_of_the_linear_layer() -> None:
    x, weight = noise(3, 5, 8).requires_grad_(), noise(6, 8, seed=1)
    linear_by_onednn(x, weight, noise(6, seed=2)).sum().backward()
    assert x.grad is not None
    torch.testing.assert_close(x.grad, weight.sum(0).expand_as(x))
