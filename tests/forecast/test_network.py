"""Counts of whole variants are those of the models themselves."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.helpers.small_variants import FAMILIES, KEYPOINTS, small_encoder, small_variant
from transpose.config.load import load_variant
from transpose.config.variant import Variant
from transpose.cost import count_operations
from transpose.forecast.network import work_of
from transpose.models.variants import build_model

VARIANTS = Path(__file__).parents[2] / "config" / "variants"

SHAPES: list[tuple[str, dict[str, object]]] = [
    *((family, {}) for family in FAMILIES),
    *((family, {"encoder": None}) for family in FAMILIES),
    *((family, {"encoder": small_encoder(position_embedding="none")}) for family in FAMILIES),
    *((family, {"encoder": small_encoder(position_embedding="learnable", heads=4)}) for family in FAMILIES),
    ("resnet", {"upsampling": "bilinear"}),
    ("resnet", {"upsampling": "bilinear", "encoder": None}),
    ("resnet", {"encoder": None, "dim": None}),
    ("resnet", {"input_size": (64, 32), "backbone": {"family": "resnet", "blocks": (1, 2, 1, 1), "width": 8}}),
    ("hrnet", {"encoder": None, "dim": None}),
    (
        "hrnet",
        {
            "input_size": (36, 52),
            "backbone": {"family": "hrnet", "width": 4, "stem_width": 4, "bottlenecks": 2, "modules": (1, 1, 2)},
        },
    ),
]


def kept_bytes(model: nn.Module, images: Tensor) -> int:
    """Bytes of all storages that autograd keeps of a forward pass, weights included."""
    held: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        held.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        model(images)
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in held}
    return sum(storages.values())


def kept_bytes_per_crop(variant: Variant, dropout: float) -> int:
    """What one crop more makes autograd keep, in the training's order of memory."""
    model = build_model(variant, KEYPOINTS, dropout).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    crops = torch.zeros(3, 3, *variant.input_size).to(memory_format=torch.channels_last)
    return kept_bytes(model, crops) - kept_bytes(model, crops[:2].clone(memory_format=torch.channels_last))


@pytest.mark.parametrize(("family", "changes"), SHAPES, ids=str)
@pytest.mark.parametrize("dropout", [0.0, 0.1])
def test_autograd_keeps_what_is_counted(family: str, changes: dict[str, object], dropout: float) -> None:
    variant = small_variant(family, changes)
    work = work_of(variant, KEYPOINTS, dropout > 0)
    # On a CPU a mask is a factor in fp32, where CUDA has a byte.
    counted = 4 * (work.activations + work.masks + work.statistics) + 8 * work.indices
    assert counted == kept_bytes_per_crop(variant, dropout)


@pytest.mark.parametrize(("family", "changes"), SHAPES, ids=str)
def test_parameters_and_operations_are_the_models(family: str, changes: dict[str, object]) -> None:
    variant = small_variant(family, changes)
    model = build_model(variant, KEYPOINTS)
    work = work_of(variant, KEYPOINTS, dropout=False)
    assert work.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert work.macs == count_operations(model, variant.input_size).macs


RELEASED = {
    "tp_r_a3": (4_998_737, 5.414e9),
    "tp_r_a4": (5_788_497, 6.320e9),
    "tp_h_s": (7_822_673, 9.929e9),
    "tp_h_a4": (17_011_217, 17.205e9),
    "tp_h_a6": (17_160_785, 21.282e9),
}


@pytest.mark.parametrize("name", RELEASED)
def test_released_variants_do_the_official_models_work(name: str) -> None:
    trainable, macs = RELEASED[name]
    work = work_of(load_variant(name, VARIANTS), 17, dropout=True)
    assert work.parameters == trainable
    assert work.macs == pytest.approx(macs, rel=5e-3)


@pytest.mark.parametrize(
    ("name", "millions"), [("simple_baseline_r152", 68.6), ("hrnet_w32", 28.5), ("hrnet_w48", 63.6)]
)
def test_whole_baselines_have_their_published_parameters(name: str, millions: float) -> None:
    assert round(work_of(load_variant(name, VARIANTS), 17, dropout=True).parameters / 1e6, 1) == millions


def test_attention_weights_of_an_unfused_kernel_grow_with_the_square_of_the_tokens() -> None:
    variant = load_variant("tp_h_a6", VARIANTS)
    assert work_of(variant, 17, dropout=True).attention == 6 * 1 * 3072**2
