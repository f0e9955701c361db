"""Layers by oneDNN compute what PyTorch's do, and are used on a CPU only."""

import copy

import pytest
import torch
from torch import nn

from tests.helpers.small_variants import FAMILIES, noise, small_model
from transpose.config.training import Dtype
from transpose.device import DeviceContext
from transpose.models import linear, onednn
from transpose.models.linear import has_onednn
from transpose.models.onednn import OneDnnBlock, OneDnnConvolution, use_onednn
from transpose.models.optimize import fold_batch_norms, optimize_for_inference
from transpose.models.resnet import BasicBlock, Bottleneck

CPU = torch.device("cpu")
FP32 = DeviceContext(CPU, "fp32", 1)
pytestmark = pytest.mark.skipif(not has_onednn(torch.float32), reason="needs oneDNN on an x86 processor")


@pytest.fixture
def uses_it_for_small_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "_LEAST_PRODUCTS", 0)


def replaced(model: nn.Module) -> int:
    return sum(isinstance(module, OneDnnConvolution | OneDnnBlock) for module in model.modules())


@pytest.mark.usefixtures("uses_it_for_small_layers")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 1e-5), ("bf16", 0.1)])
@torch.inference_mode()
def test_a_network_predicts_the_same(family: str, dtype: Dtype, tolerance: float) -> None:
    context = DeviceContext(CPU, dtype, 1)
    if not has_onednn(context.torch_dtype):
        pytest.skip("oneDNN has no bf16 on this processor")
    model = small_model(family)
    network = optimize_for_inference(model, context)
    assert replaced(network) > 0
    for size in ((2, 3, 32, 24), (1, 3, 64, 48)):  # weights are packed again for another size
        images = noise(*size)
        with context.autocast():
            heatmaps = network(images).float()
        expected = model(images)
        torch.testing.assert_close(heatmaps, expected, rtol=0, atol=tolerance * expected.abs().max().item())


@pytest.mark.parametrize("block", [BasicBlock(8, 8), BasicBlock(8, 12, 2), Bottleneck(16, 4), Bottleneck(8, 4, 2)])
@torch.inference_mode()
def test_a_block_adds_its_shortcut_before_the_last_relu(block: BasicBlock | Bottleneck) -> None:
    folded = fold_batch_norms(block)
    x = noise(2, block.conv1.in_channels, 8, 6)
    torch.testing.assert_close(OneDnnBlock(copy.deepcopy(folded))(x), folded(x))


@pytest.mark.usefixtures("uses_it_for_small_layers")
def test_changed_weights_of_the_encoder_count() -> None:
    model = fold_batch_norms(small_model("resnet"))
    use_onednn(model, FP32)
    images = noise(1, 3, 32, 24)
    with torch.inference_mode():
        before = model(images)
        for parameter in model.global_encoder.parameters():  # pyright: ignore[reportOptionalMemberAccess]
            parameter.mul_(1.5)
        assert not torch.allclose(model(images), before)


@torch.inference_mode()
def test_a_copy_of_a_network_that_has_run_predicts_the_same() -> None:
    model = fold_batch_norms(small_model("resnet"))
    use_onednn(model, FP32)
    images = noise(1, 3, 32, 24)
    expected = model(images)
    assert torch.equal(copy.deepcopy(model)(images), expected)


@pytest.mark.parametrize(
    ("context", "available"),
    [
        (DeviceContext(torch.device("cuda"), "fp32", 1), True),
        (DeviceContext(CPU, "fp32", 1, compiled=True), True),
        (FP32, False),
    ],
)
def test_other_devices_processors_and_compiled_networks_keep_their_layers(
    context: DeviceContext, available: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onednn, "has_onednn", lambda dtype: available)
    model = fold_batch_norms(small_model("hrnet"))
    use_onednn(model, context)
    assert replaced(model) == 0
    assert all(
        module.linear is nn.functional.linear for module in model.modules() if isinstance(module, onednn.EncoderLayer)
    )
