"""Test-time ablations: only the ablated part changes, and the model stays as it is."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.helpers.small_variants import FAMILIES, noise, small_encoder, small_model
from transpose.attention.ablation import (
    ablations,
    encode_intact,
    fixed_attention,
    identity_attention,
    mean_attention_of,
    uniform_attention,
)
from transpose.attention.maps.capture import capture
from transpose.attention.maps.dependency import encoder_of_model
from transpose.attention.records import Change
from transpose.models.encoder import EncoderLayer, sine_embedding
from transpose.models.transpose import TransPose, tokens_of

QUERY, KEY, VALUE = (noise(2, 3, 12, 4, seed=seed) for seed in range(3))


def features_of(model: TransPose, persons: int = 3) -> Tensor:
    with torch.inference_mode():
        return model.features(noise(persons, 3, 32, 24))


def changed(model: TransPose, change: Change) -> Tensor:
    features = features_of(model)
    with torch.inference_mode():
        encode = ablations(model, mean_attention_of(model, [features]), seed=0)[change]
        return encode(encode_intact(model, features))


def test_a_head_that_is_off_gathers_nothing_and_the_others_what_they_did():
    def without_second(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        gathered = F.scaled_dot_product_attention(query, key, value)
        gathered[:, 1] = 0.0
        return gathered

    model = small_model("resnet")
    with torch.inference_mode():
        expected = model.encode(features_of(model), {1: without_second})
    assert torch.equal(changed(model, Change(kind="head_off", layer=1, head=1)), expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_changes_from_the_middle_of_the_encoder_are_bitwise_those_from_its_start(family: str):
    model = small_model(family)
    features = features_of(model)
    with torch.inference_mode():
        whole = model.encode(features, {1: uniform_attention})
        assert torch.equal(encode_intact(model, features).tokens[-1], tokens_of(model.encode(features)))
    assert torch.equal(changed(model, Change(kind="uniform_attention", layer=1)), whole)


@pytest.mark.parametrize(
    ("attend", "attention"),
    [
        (uniform_attention, torch.full((3, 12, 12), 1 / 12)),
        (identity_attention, torch.eye(12).expand(3, 12, 12)),
        (fixed_attention(noise(3, 12, 12).softmax(dim=-1)), noise(3, 12, 12).softmax(dim=-1)),
    ],
)
def test_replaced_attention_is_that_matrix_times_the_values(attend, attention):
    torch.testing.assert_close(attend(QUERY, KEY, VALUE), attention @ VALUE)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_mean_is_over_persons_whatever_the_batches(family: str):
    model = small_model(family)
    features = features_of(model, 5)
    with torch.inference_mode():
        expected = [layer.matrix().mean(dim=0) for layer in capture(model, features)[1]]
    for found, layer in zip(mean_attention_of(model, features.split(2)), expected, strict=True):
        torch.testing.assert_close(found, layer)


def test_of_one_person_the_mean_attention_is_its_own():
    model = small_model("resnet")
    features = features_of(model, 1)
    with torch.inference_mode():
        encode = ablations(model, mean_attention_of(model, [features]), 0)[Change(kind="mean_attention")]
        torch.testing.assert_close(encode(encode_intact(model, features)), model.encode(features))


def test_every_change_comes_once_and_changes_what_it_says():
    model = small_model("resnet")
    features = features_of(model)
    with torch.inference_mode():
        intact = model.encode(features)
        encoders = ablations(model, mean_attention_of(model, [features]), seed=0)
        results = {change: encode(encode_intact(model, features)) for change, encode in encoders.items()}
    # Intact, 2 layers of 2 heads, both heads, the layer; 3 replacements of all and of the last; 3 of the positions.
    assert len(results) == 1 + 2 * (2 + 1 + 1) + 3 * 2 + 3
    assert next(iter(results)) == Change(kind="intact")
    assert torch.equal(results.pop(Change(kind="intact")), intact)
    for change, encoded in results.items():
        assert not torch.allclose(encoded, intact, atol=1e-4), change
        assert torch.isfinite(encoded).all()
    assert torch.equal(model.encode(features), intact)


def test_a_single_head_and_a_single_layer_are_not_changed_twice():
    model = small_model("resnet", {"encoder": small_encoder(layers=1, heads=1)})
    found = [change.kind for change in ablations(model, [torch.eye(12)[None]], seed=0)]
    assert len(found) == len(set(found))
    assert "head_off" not in found


def test_a_layer_that_is_off_hands_its_input_on():
    model = small_model("resnet")
    features = features_of(model)
    assert model.global_encoder is not None
    first, last = model.global_encoder.layers
    skipped = changed(model, Change(kind="layer_off", layer=0))
    assert list(model.global_encoder.layers) == [first, last]
    with torch.inference_mode():
        alone = last(features.flatten(2).transpose(1, 2), model.position(features))
    torch.testing.assert_close(skipped, alone.transpose(1, 2).unflatten(2, features.shape[-2:]))


def test_without_what_all_heads_gather_the_bias_stays():
    model = small_model("resnet", {"encoder": small_encoder(layers=1)})
    assert model.global_encoder is not None
    (layer,) = model.global_encoder.layers
    assert isinstance(layer, EncoderLayer)
    torch.nn.init.normal_(layer.self_attn.out_proj.bias)
    tokens = features_of(model).flatten(2).transpose(1, 2)
    with torch.inference_mode():
        expected = layer.transform(tokens, layer.self_attn.out_proj.bias.expand_as(tokens))
        found = changed(model, Change(kind="all_heads_off", layer=0)).flatten(2).transpose(1, 2)
    torch.testing.assert_close(found, expected)


def test_which_positions_can_be_changed_depends_on_the_embedding():
    found = {}
    for embedding in ("sine", "learnable", "none"):
        model = small_model("resnet", {"encoder": small_encoder(position_embedding=embedding)})
        kinds = [change.kind for change in ablations(model, [torch.eye(12)] * 2, seed=0)]
        found[embedding] = {kind for kind in kinds if "position" in kind or "sine" in kind}
    moved = {"no_position", "mirrored_position", "shuffled_position"}
    assert found == {"sine": moved, "learnable": moved | {"sine_in_place"}, "none": {"sine_added"}}


def test_positions_are_mirrored_left_to_right_and_shuffled_by_the_seed():
    model = small_model("resnet")
    seen: list[Tensor] = []

    def record(tokens: Tensor, position: Tensor | None, attends: object = None) -> Tensor:
        assert position is not None
        seen.append(position.squeeze(1))
        return tokens

    encoder_of_model(model).forward = record
    intact = encode_intact(model, torch.zeros(1, 8, 4, 3))
    for seed in (0, 0, 1):
        encoders = ablations(model, [torch.eye(12)] * 2, seed)
        encoders[Change(kind="shuffled_position")](intact)
    encoders[Change(kind="mirrored_position")](intact)
    *shuffled, mirrored = seen
    original = sine_embedding((4, 3), 8).squeeze(1)
    assert torch.equal(mirrored.unflatten(0, (4, 3))[2, 0], original.unflatten(0, (4, 3))[2, 2])
    assert torch.equal(shuffled[0], shuffled[1])
    assert not torch.equal(shuffled[0], shuffled[2])
    assert torch.equal(shuffled[0].sort(dim=0).values, original.sort(dim=0).values)


def test_sine_added_to_a_model_without_is_a_model_with():
    without = small_model("resnet", {"encoder": small_encoder(position_embedding="none")})
    with_sine = small_model("resnet")
    with_sine.load_state_dict(without.state_dict(), strict=False)
    features = features_of(without)
    with torch.inference_mode():
        torch.testing.assert_close(changed(without, Change(kind="sine_added")), with_sine.encode(features))


def test_a_model_without_encoder_is_refused():
    with pytest.raises(ValueError, match="without encoder"):
        ablations(small_model("resnet", {"encoder": None}), [], seed=0)
