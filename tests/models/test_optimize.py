"""The model optimised for inference gives the same output as the trained model."""

import copy
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.helpers.pose_models import pose_model
from tests.helpers.small_variants import FAMILIES, noise, small_model, small_variant
from transpose.config.load import load_any_variant
from transpose.config.study import EvalProtocol
from transpose.config.training import Dtype
from transpose.data.loader import EvaluationBatch
from transpose.device import DeviceContext
from transpose.models.encoder import EncoderLayer
from transpose.models.optimize import Conv1x1AsMatmul, fold_batch_norms, optimize_for_inference
from transpose.models.transpose import TransPose
from transpose.models.variants import build_model
from transpose.replay import EAGER_CALLS
from transpose.skeleton import COCO_PERSON

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
VARIANTS = sorted((Path(__file__).parents[2] / "config" / "variants").glob("*.yaml"))


def worn_in(model: TransPose) -> TransPose:
    """The model with batch norms that have seen data; those of a fresh one change nothing."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            # Its tensors share their memory with the module's.
            state = module.state_dict()
            for name in ("weight", "running_var"):
                state[name].copy_(0.5 + torch.rand(state[name].shape, generator=generator))
            for name in ("bias", "running_mean"):
                state[name].copy_(0.2 * torch.randn(state[name].shape, generator=generator))
    return model.eval()


def batch_norms(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize("family", FAMILIES)
@torch.inference_mode()
def test_folding_changes_the_form_and_not_the_function(family: str) -> None:
    model = worn_in(small_model(family)).double()
    folded = fold_batch_norms(model)
    images = noise(2, 3, 32, 24).double()
    assert batch_norms(model) > 0
    assert batch_norms(folded) == 0
    assert torch.allclose(folded(images), model(images), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("path", VARIANTS, ids=lambda path: path.stem)
@torch.inference_mode()
def test_every_batch_norm_of_every_variant_is_folded(path: Path) -> None:
    with torch.device("meta"):
        model = build_model(load_any_variant(path), 17)
    assert batch_norms(model) > 0
    assert batch_norms(fold_batch_norms(model)) == 0


def test_the_trained_model_stays_as_it_was() -> None:
    model = worn_in(small_model("resnet"))
    before = copy.deepcopy(model.state_dict())
    formed = optimize_for_inference(model, DeviceContext(CPU, "bf16", 1))
    assert formed is not model
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not formed.training


@torch.inference_mode()
def test_products_are_held_in_the_precision_and_all_else_in_fp32() -> None:
    context = DeviceContext(CPU, "bf16", 1)
    model = optimize_for_inference(worn_in(small_model("resnet")), context)
    dtypes = {name: parameter.dtype for name, parameter in model.named_parameters()}
    assert dtypes["backbone.conv1.weight"] == dtypes["global_encoder.layers.0.linear1.weight"] == torch.bfloat16
    assert dtypes["global_encoder.layers.0.norm1.weight"] == dtypes["final_layer.bias"] == torch.float32
    images = noise(2, 3, 32, 24)
    with context.autocast():
        rough = model(images).float()
    exact = optimize_for_inference(worn_in(small_model("resnet")), DeviceContext(CPU, "fp32", 1))(images)
    assert 0 < (rough - exact).abs().max() < 0.05 * exact.abs().max()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@torch.inference_mode()
def test_heatmaps_lie_one_after_the_other(family: str, dtype: Dtype) -> None:
    model, context = worn_in(small_model(family)), DeviceContext(CPU, dtype, 1)
    images = noise(2, 3, 32, 24)
    with context.autocast():
        heatmaps = optimize_for_inference(model, context)(images)
    assert heatmaps.is_contiguous()
    tolerance = 1e-5 if dtype == "fp32" else 0.1  # bf16 of small HRNets differs by up to 0.1 with other seeds
    assert torch.allclose(heatmaps.float(), model(images), rtol=0, atol=tolerance * model(images).abs().max().item())


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@torch.inference_mode()
def test_a_pixelwise_product_is_the_convolution_in_double_precision(order: torch.memory_format) -> None:
    convolution = nn.Conv2d(6, 5, 1).double()
    features = noise(3, 6, 4, 7).double().contiguous(memory_format=order)
    torch.testing.assert_close(Conv1x1AsMatmul(convolution)(features), convolution(features))


@pytest.mark.parametrize(
    "convolution",
    [nn.Conv2d(6, 4, 3), nn.Conv2d(6, 4, 1, stride=2), nn.Conv2d(6, 4, 1, groups=2), nn.Conv2d(6, 4, 1, bias=False)],
    ids=str,
)
def test_a_convolution_of_another_kind_is_no_pixelwise_product(convolution: nn.Conv2d) -> None:
    with pytest.raises(ValueError, match="not a 1x1 convolution with a bias: Conv2d"):
        Conv1x1AsMatmul(convolution)


@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
@torch.inference_mode()
def test_a_compiled_network_predicts_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
    context = DeviceContext(CPU, "fp32", 1, compiled=True)
    # A single layer: a compiler takes its time, and what is tested is the way to it.
    model = EncoderLayer(8, 2, 12, dropout=0.0, attention_dropout=0.0)
    tokens, position = noise(3, 12, 8), noise(12, 1, 8)
    outputs = optimize_for_inference(model, context)(context.pad_batch(tokens, 4), position)
    assert len(outputs) == 4
    assert torch.allclose(outputs[:3], model.eval()(tokens, position), rtol=1e-4, atol=1e-6)
    assert any(tmp_path.rglob("*.py"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("compiled", "dtype"), [(False, "fp32"), (False, "bf16"), (True, "fp32")])
@pytest.mark.parametrize("flip_test", [True, False])
def test_a_gpu_replays_predictions_without_losing_the_last_one(
    flip_test: bool, compiled: bool, dtype: Dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    model, protocol = (
        worn_in(build_model(small_variant("resnet"), len(COCO_PERSON))),
        EvalProtocol(batch_size=2, flip_test=flip_test),
    )
    starts = range(0, 2 * (EAGER_CALLS + 3), 2)
    generator = torch.Generator().manual_seed(0)
    crops = torch.randint(0, 256, (2 * len(starts), 32, 24, 3), dtype=torch.uint8, generator=generator)
    ones = np.ones((2, 2))
    batches = [EvaluationBatch(crops[first : first + 2], ones, ones, np.arange(first, first + 2)) for first in starts]
    replayed = DeviceContext(torch.device("cuda"), dtype, 1, compiled)
    predicted, expected = (
        pose_model(optimize_for_inference(model, context), protocol, context=context).predict_keypoints(batches)
        for context in (replayed, DeviceContext(CPU, "fp32", 1))
    )
    tolerance = 1e-3 if dtype == "fp32" else 0.1
    assert np.allclose(predicted.keypoint_scores, expected.keypoint_scores, rtol=tolerance, atol=tolerance)
