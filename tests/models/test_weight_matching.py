"""Checkpoints as trainers write them fit by their names; what does not fit is one line."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.helpers.small_variants import FAMILIES, small_model
from transpose.errors import InputError
from transpose.models.matching import only_state_dict
from transpose.models.transpose import TransPose
from transpose.models.weights import load_backbone, load_to_fine_tune, load_weights, official_state_dict

State = Mapping[str, Tensor]


def prefixed(state: State, prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}{key}": tensor for key, tensor in state.items()}


def shifted(state: State, by: float = 1.0) -> dict[str, Tensor]:
    return {key: tensor + by if tensor.is_floating_point() else tensor for key, tensor in state.items()}


def rounded(state: State, dtype: torch.dtype) -> dict[str, Tensor]:
    return {key: tensor.to(dtype) if tensor.is_floating_point() else tensor for key, tensor in state.items()}


HEAD = {"keypoint_head.final_layer.weight": torch.zeros(17, 4, 1, 1), "keypoint_head.final_layer.bias": torch.zeros(17)}

TRAINERS: dict[str, Callable[[State], object]] = {
    "official": lambda state: {
        "epoch": 3,
        "model": "transpose_r",
        "state_dict": prefixed(state, "module."),
        "best_state_dict": {key: tensor.clone() for key, tensor in state.items()},
        "optimizer": {"state": {0: {"exp_avg": torch.zeros(2)}}, "param_groups": []},
    },
    "torchvision": lambda state: {"model": state, "epoch": 3, "args": {"lr": 0.1}},
    "Lightning": lambda state: {
        "pytorch-lightning_version": "2.5",
        "state_dict": prefixed(state, "model.") | {"loss.weight": torch.ones(3)},
    },
    "Lightning, compiled": lambda state: {"state_dict": prefixed(state, "net._orig_mod.")},
    "moving average": lambda state: {"n_averaged": torch.tensor(5)} | prefixed(state, "module."),
    "timm": lambda state: {"state_dict": state, "state_dict_ema": state, "arch": "resnet50", "metric": 77.0},
    "nested": lambda state: {"student": {"net": {"state": state}}},
    "half precision": lambda state: rounded(state, torch.float16),
    "bfloat16": lambda state: rounded(state, torch.bfloat16),
}


@pytest.fixture(params=FAMILIES)
def trained(request: pytest.FixtureRequest) -> TransPose:
    return whole(small_model(request.param, seed=3))


def whole(model: TransPose) -> TransPose:
    """Round to numbers that every floating-point dtype has, except the embedding."""
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and name != "pos_embedding":
            tensor.copy_((tensor * 8).round().clamp(-8, 8))
            if name.endswith("running_var"):
                tensor.abs_()
    return model


def family_of(model: TransPose) -> str:
    return "resnet" if hasattr(model.backbone, "stage_names") else "hrnet"


def saved(content: object, path: Path) -> Path:
    torch.save(content, path)
    return path


def assert_equal(actual: State, expected: State) -> None:
    assert actual.keys() == expected.keys()
    for key, tensor in actual.items():
        tolerance = 0.01 if key == "pos_embedding" else 0
        torch.testing.assert_close(tensor, expected[key], rtol=0, atol=tolerance)


def fails(load: Callable[[TransPose, Path], object], model: TransPose, path: Path) -> str:
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with pytest.raises(InputError) as caught:
        load(model, path)
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


# --- what trainers write


@pytest.mark.parametrize("trainer", TRAINERS)
def test_whole_models(tmp_path: Path, trained: TransPose, trainer: str) -> None:
    state = official_state_dict(trained)
    path = saved(TRAINERS[trainer](state), tmp_path / "w.ckpt")
    model = small_model(family_of(trained))
    load_weights(model, path)
    assert_equal(official_state_dict(model), state)
    model = small_model(family_of(trained))
    assert load_to_fine_tune(model, path) == ["final_layer.bias", "final_layer.weight", "pos_embedding"]
    assert torch.equal(model.reduce.weight, trained.reduce.weight)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("of", ["backbone", "whole model"])
@pytest.mark.parametrize("trainer", TRAINERS)
def test_backbones(tmp_path: Path, trained: TransPose, trainer: str, of: str) -> None:
    state = trained.backbone.state_dict() if of == "backbone" else official_state_dict(trained)
    model = small_model(family_of(trained))
    load_backbone(model, saved(TRAINERS[trainer](state), tmp_path / "w.pt"))
    assert_equal(model.backbone.state_dict(), trained.backbone.state_dict())


@pytest.mark.parametrize("prefix", ["backbone.", "module.backbone.", "model.backbone."])
def test_the_head_of_mmpose_is_left_out(tmp_path: Path, trained: TransPose, prefix: str) -> None:
    state = prefixed(trained.backbone.state_dict(), prefix) | prefixed(HEAD, prefix.removesuffix("backbone."))
    content = {"meta": {"epoch": 210, "CLASSES": ["person"]}, "state_dict": state, "message_hub": {"iter": 1}}
    model = small_model(family_of(trained))
    load_backbone(model, saved(content, tmp_path / "td-hm.pth"))
    assert_equal(model.backbone.state_dict(), trained.backbone.state_dict())


def test_the_classifier_of_hrnet_is_left_out(tmp_path: Path) -> None:
    trained, model = small_model("hrnet", seed=3), small_model("hrnet")
    classifier = {f"{part}.0.weight": torch.zeros(2) for part in ("incre_modules", "downsamp_modules", "final_layer")}
    content = dict(trained.backbone.state_dict()) | classifier | {"classifier.weight": torch.zeros(2, 2)}
    load_backbone(model, saved(content, tmp_path / "hrnet.pth"))
    assert_equal(model.backbone.state_dict(), trained.backbone.state_dict())


def test_a_model_of_this_package_saved_by_its_attributes_is_a_backbone_too(tmp_path: Path, trained: TransPose) -> None:
    model = small_model(family_of(trained))
    load_backbone(model, saved(trained.state_dict(), tmp_path / "w.pth"))
    assert_equal(model.backbone.state_dict(), trained.backbone.state_dict())


def test_of_several_networks_the_one_that_fits_is_taken(tmp_path: Path) -> None:
    trained, model = small_model("resnet", seed=3), small_model("resnet")
    other = small_model("hrnet").backbone.state_dict()
    state = trained.backbone.state_dict()
    load_backbone(model, saved({"model": other, "teacher": state}, tmp_path / "places.pth"))
    assert_equal(model.backbone.state_dict(), state)
    model = small_model("resnet")
    load_backbone(model, saved(prefixed(other, "student.") | prefixed(state, "teacher."), tmp_path / "prefixes.pth"))
    assert_equal(model.backbone.state_dict(), state)


# --- ambiguity


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_two_that_fit_and_differ_are_refused(tmp_path: Path, dtype: torch.dtype) -> None:
    model = small_model("resnet")
    state = official_state_dict(model)
    words = "both fit and differ; save one of them in a file of its own"
    path = saved({"state_dict": state, "ema": {"module": rounded(shifted(state), dtype)}}, tmp_path / "w.pth")
    for load in (load_weights, load_backbone, load_to_fine_tune):
        assert fails(load, model, path) == f"state_dict and ema/module {words}"
    path = saved(prefixed(state, "student.") | prefixed(shifted(state), "teacher."), tmp_path / "w.ckpt")
    assert fails(load_weights, model, path) == f"student.* and teacher.* {words}"


def test_without_a_network_state_dicts_may_differ_in_a_prefix() -> None:
    state = {"conv1.weight": torch.ones(2), "bn1.bias": torch.zeros(2)}
    wrapped = prefixed(state, "module.")
    assert only_state_dict({"state_dict": wrapped, "best": state}, "w.pth").keys() == wrapped.keys()
    for other in (shifted(state), {"conv1.weight": state["conv1.weight"]}, rounded(state, torch.float16)):
        with pytest.raises(InputError, match=r"^w\.pth: state_dict and best differ; save one of them in a file of its"):
            only_state_dict({"state_dict": wrapped, "best": other}, "w.pth")


# --- what does not fit


def test_names_are_listed_with_their_numbers(tmp_path: Path) -> None:
    model = small_model("resnet")
    state = prefixed(model.backbone.state_dict(), "module.")
    state = {key: tensor for key, tensor in state.items() if not key.startswith("module.layer2.0.bn")}
    state["module.conv1.weight"] = torch.zeros(4, 3, 3, 3)
    state["module.bn1.bias"] = torch.zeros(8, dtype=torch.int32)
    state |= {f"module.layer9.{number}.weight": torch.zeros(1) for number in range(5)}
    assert fails(load_backbone, model, saved({"net": state}, tmp_path / "w.pth")) == (
        "net/module.*: conv1.weight: shape [4, 3, 3, 3], not [8, 3, 7, 7]; "
        "bn1.bias: dtype is torch.int32, not torch.float32; "
        "layer2.0.bn1.weight, layer2.0.bn1.bias, layer2.0.bn1.running_mean and 7 more: missing; "
        "layer9.0.weight, layer9.1.weight, layer9.2.weight and 2 more: not part of this model"
    )


def test_a_network_without_any_of_the_names_is_listed_too(tmp_path: Path) -> None:
    path = saved({"model": {"blocks.0.attn.qkv.weight": torch.zeros(2)}}, tmp_path / "vit.pth")
    message = fails(load_backbone, small_model("resnet"), path)
    assert message.startswith("conv1.weight, bn1.weight, bn1.bias and ")
    assert message.endswith("more: missing; blocks.0.attn.qkv.weight: not part of this model")


def test_fine_tuning_from_a_backbone_is_refused(tmp_path: Path) -> None:
    path = saved(small_model("resnet").backbone.state_dict(), tmp_path / "w.pth")
    words = "final_layer.weight, final_layer.bias, pos_embedding: missing; these are not the weights of a whole model"
    assert words in fails(load_to_fine_tune, small_model("resnet"), path)


@pytest.mark.parametrize(
    ("key", "change", "problem"),
    [
        ("conv1.weight", lambda tensor: tensor * torch.nan, "has values that are not finite; training has diverged"),
        ("conv1.weight", lambda tensor: tensor.double() + 1e300, "has values that are not finite"),
        ("bn1.bias", lambda tensor: (tensor + 1) / 0, "has values that are not finite; training has diverged"),
        ("bn1.running_var", lambda tensor: tensor * 0 - 1e-9, "has negative variances"),
        ("bn1.weight", lambda tensor: tensor.long(), "dtype is torch.int64, not torch.float32"),
        ("bn1.weight", lambda tensor: tensor.to(torch.complex64), "dtype is torch.complex64, not torch.float32"),
        ("bn1.num_batches_tracked", lambda tensor: tensor.float(), "dtype is torch.float32, not torch.int64"),
        ("bn1.num_batches_tracked", lambda tensor: tensor.bool(), "dtype is torch.bool, not torch.int64"),
    ],
)
def test_values_that_no_training_leaves_are_named(
    tmp_path: Path, key: str, change: Callable[[Tensor], Tensor], problem: str
) -> None:
    model = small_model("resnet", seed=1)
    state = official_state_dict(small_model("resnet"))
    path = saved({"state_dict": state | {key: change(state[key])}}, tmp_path / "w.pth")
    for load in (load_weights, load_backbone, load_to_fine_tune):
        message = fails(load, model, path)
        assert message.removeprefix("state_dict: ").startswith(f"{key}: {problem}")
