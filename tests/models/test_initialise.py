"""Weight initialisation: both schemes, and reproducibility."""

import pytest
import torch

from tests.helpers.small_variants import FAMILIES, KEYPOINTS, small_encoder, small_model, small_variant
from transpose.models.initialise import initialise, renew_final_layer
from transpose.models.variants import build_model


def initialised(family, how, pretrained=False, seed=0):
    """The state of an initialised model whose layers are wide enough to measure their spread."""
    changes = {"encoder": small_encoder(position_embedding="learnable"), "dim": 64, "deconvolution_channels": 64}
    model = build_model(small_variant(family, changes), KEYPOINTS)
    initialise(model, how, pretrained, torch.Generator().manual_seed(seed))
    return model.state_dict()


def assert_spread(weight, deviation):
    assert weight.std().item() == pytest.approx(deviation, rel=0.25)


def assert_bounded(weight, bound):
    assert weight.abs().max().item() == pytest.approx(bound, rel=0.1)
    assert weight.abs().max().item() <= bound


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("how", ["official", "kaiming"])
def test_a_seed_fixes_every_number(family, how):
    torch.manual_seed(1)
    first = initialised(family, how)
    torch.manual_seed(2)
    second = initialised(family, how)
    other = initialised(family, how, seed=3)
    assert all(torch.equal(first[key], second[key]) for key in first)
    assert not torch.equal(first["backbone.conv1.weight"], other["backbone.conv1.weight"])


@pytest.mark.parametrize("family", FAMILIES)
def test_official_convolutions_are_tiny(family):
    state = initialised(family, "official")
    for key in ("backbone.conv1.weight", "reduce.weight", "final_layer.weight"):
        assert_spread(state[key], 0.001)
    assert not state["final_layer.bias"].any()


def test_official_r_with_a_pretrained_backbone_keeps_pytorchs_defaults():
    state = initialised("resnet", "official", pretrained=True)
    assert_bounded(state["reduce.weight"], 16**-0.5)
    assert_bounded(state["upsampling.0.weight"], (64 * 16) ** -0.5)
    assert_spread(state["final_layer.weight"], 0.001)


def test_official_h_with_a_pretrained_backbone_is_small_too():
    assert_spread(initialised("hrnet", "official", pretrained=True)["reduce.weight"], 0.001)


def test_kaiming_scales_with_fan_out():
    state = initialised("resnet", "kaiming")
    assert_spread(state["reduce.weight"], (2 / 64) ** 0.5)
    assert_spread(state["upsampling.0.weight"], (2 / (64 * 16)) ** 0.5)
    assert_spread(state["final_layer.weight"], 0.001)


@pytest.mark.parametrize("how", ["official", "kaiming"])
def test_encoder_and_embedding(how):
    state = initialised("resnet", how)
    attention = "global_encoder.layers.0.self_attn"
    assert_bounded(state[f"{attention}.in_proj_weight"], (6 / (64 + 3 * 64)) ** 0.5)
    assert not state[f"{attention}.in_proj_bias"].any()
    assert not state[f"{attention}.out_proj.bias"].any()
    assert_spread(state["pos_embedding"], 1)


def test_a_renewed_last_layer_is_uniform_and_the_rest_unchanged():
    model = small_model("resnet", {"deconvolution_channels": 400})
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    renew_final_layer(model, torch.Generator().manual_seed(0))
    bound = 400**-0.5
    weight = model.final_layer.weight.detach().flatten() / bound
    assert weight.abs().max() <= 1
    # Of a uniform distribution on [-1, 1]: mean 0, variance 1/3.
    assert abs(weight.mean()) < 0.05
    assert abs(weight.var() - 1 / 3) < 0.03
    assert 0 < model.state_dict()["final_layer.bias"].abs().max() <= bound
    same = [name for name, tensor in model.state_dict().items() if torch.equal(tensor, before[name])]
    assert set(before) - set(same) == {"final_layer.weight", "final_layer.bias"}
