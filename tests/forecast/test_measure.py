"""What is counted on the meta device is what the models have, do and keep."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from tests.helpers.small_variants import KEYPOINTS, small_encoder, small_variant
from transpose.config.load import load_variant
from transpose.config.recipe import Recipe
from transpose.config.training import Training
from transpose.config.variant import Variant
from transpose.cost import count_operations
from transpose.forecast.measure import count_work, kept_bytes, time_network
from transpose.forecast.work import DeviceKind, Work
from transpose.models.variants import build_model

VARIANTS = Path(__file__).parents[2] / "config" / "variants"

SHAPES: list[tuple[str, dict[str, object]]] = [
    ("resnet", {}),
    ("resnet", {"encoder": small_encoder(position_embedding="learnable", heads=4)}),
    ("resnet", {"encoder": None, "dim": None}),
    ("resnet", {"upsampling": "bilinear"}),
    ("hrnet", {}),
    ("hrnet", {"encoder": None, "dim": None}),
]
NO_DROPOUT: dict[str, Any] = {"dropout": 0.0, "attention_dropout": 0.0}


def work_of(variant: Variant, keypoints: int = KEYPOINTS, device: DeviceKind = "CPU", **training: Any) -> Work:
    """The work of a training with some settings replaced."""
    return count_work(Recipe(name="x", variant=variant, training=Training(**training)), keypoints, device)


VARIETY = ["r_sine", "r_learnable", "h_sine", "tp_r_a3_star", "tp_r_a4_384x288", "tp_h_s", "simple_baseline_r50"]


@pytest.mark.parametrize("name", VARIETY)
def test_parameters_and_operations_are_those_of_a_model_with_weights(name: str) -> None:
    variant = load_variant(name, VARIANTS)
    model = build_model(variant, 17)
    work = work_of(variant, 17)
    assert work.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert work.macs == count_operations(model, variant.input_size).macs


RELEASED = {
    "tp_r_a3": (4_998_737, 5.414e9),
    "tp_h_s": (7_822_673, 9.929e9),
    "tp_h_a6": (17_160_785, 21.282e9),
}


@pytest.mark.parametrize("name", RELEASED)
def test_released_variants_do_the_official_models_work(name: str) -> None:
    trainable, macs = RELEASED[name]
    work = work_of(load_variant(name, VARIANTS), 17, "GPU")
    assert work.parameters == trainable
    assert work.macs == pytest.approx(macs, rel=5e-4)


def kept_on_the_cpu(variant: Variant, dropout: float, attention_dropout: float) -> int:
    """Bytes that a forward pass of three crops keeps on the CPU, in the training's order of memory."""
    model = build_model(variant, KEYPOINTS, dropout, attention_dropout).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    return kept_bytes(model, torch.zeros(3, 3, *variant.input_size).to(memory_format=torch.channels_last))


@pytest.mark.parametrize(("family", "changes"), SHAPES, ids=str)
@pytest.mark.parametrize(("dropout", "attention_dropout"), [(0.0, 0.0), (0.1, 0.1)])
def test_counted_bytes_are_those_that_a_forward_pass_on_the_cpu_keeps(
    family: str, changes: dict[str, object], dropout: float, attention_dropout: float
) -> None:
    variant = small_variant(family, changes)
    work = work_of(variant, batch_size=3, dropout=dropout, attention_dropout=attention_dropout)
    assert work.kept_bytes == kept_on_the_cpu(variant, dropout, attention_dropout)


def test_without_positions_tokens_are_copied_once_more_on_the_meta_device() -> None:
    # Its convolutions do not keep the order of memory, so the first layer's two projections reorder their tokens.
    variant = small_variant("resnet", {"encoder": small_encoder(position_embedding="none")})
    tokens = 3 * variant.grid_size[0] * variant.grid_size[1] * (variant.dim or 0)
    assert work_of(variant, batch_size=3, **NO_DROPOUT).kept_bytes == kept_on_the_cpu(variant, 0.0, 0.0) + 4 * tokens


def test_a_module_in_any_architecture_is_counted() -> None:
    layers = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 5), torch.nn.Sigmoid(), torch.nn.Linear(5, 1))
    # the input, the output of the sigmoid; both in fp32; the weights are the model's
    assert kept_bytes(layers, torch.zeros(7, 3, 2, 2)) == 4 * 7 * (12 + 5)


def test_a_gpu_keeps_no_attention_weights_and_a_byte_per_dropped_value() -> None:
    variant = load_variant("tp_r_a3", VARIANTS)
    tokens, dim, hidden, layers = 32 * 24, 256, 1024, 3
    plain = work_of(variant, 17, "GPU", batch_size=2, **NO_DROPOUT).kept_bytes
    dropped = work_of(variant, 17, "GPU", batch_size=2, dropout=0.1, attention_dropout=0.1).kept_bytes
    # masks after attention, of the hidden values and after them, and the dropped hidden values
    assert dropped - plain == 2 * layers * tokens * (2 * dim + hidden + 4 * hidden)


def test_dropout_inside_attention_keeps_no_attention_weights_on_a_cpu() -> None:
    variant = load_variant("tp_r_a3", VARIANTS)
    fused = work_of(variant, 17, batch_size=1, dropout=0.0, attention_dropout=0.0).kept_bytes
    in_blocks = work_of(variant, 17, batch_size=1, dropout=0.0, attention_dropout=0.1).kept_bytes
    weights = 3 * 8 * (32 * 24) ** 2 * 4
    # Only the projections are copied, to contiguous memory.
    assert 0 < in_blocks - fused < weights / 20


def test_half_precision_halves_what_is_kept() -> None:
    variant = small_variant("resnet")
    full, half = (work_of(variant, device="GPU", dtype=dtype, **NO_DROPOUT).kept_bytes for dtype in ("fp32", "bf16"))
    assert half == pytest.approx(full / 2, rel=0.15)


def test_meta_tensors_have_their_own_kernels_again_afterwards() -> None:
    work_of(small_variant("resnet"), device="GPU", dropout=0.1)
    values = torch.empty(4, device="meta", requires_grad=True)
    held: list[torch.Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: held.append(tensor) or tensor, lambda tensor: tensor):
        F.dropout(values * 1, 0.1)
    assert [tensor.dtype for tensor in held] == [torch.float32]


def test_a_networks_speed_is_measured() -> None:
    variant = small_variant("hrnet")
    recipe = Recipe(name="x", variant=variant, training=Training(batch_size=2))
    speed = time_network(recipe, KEYPOINTS, work_of(variant), batch_size=2, training_threads=1, threads=1)
    # A training step has a backward pass too.
    assert 0 < speed.training < speed.inference
