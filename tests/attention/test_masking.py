"""Masked cells: an empty mask changes nothing, and a full mask gives the expected formula."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.helpers.small_variants import FAMILIES, KEYPOINTS, small_model, small_variant
from transpose.attention import masking as module
from transpose.attention.maps.grid import Grid
from transpose.attention.masking import (
    mask_all_layers,
    mask_image,
    mask_last_layer,
)
from transpose.data.normalise import normalise
from transpose.models.transpose import feature_map, tokens_of

CROP = np.random.default_rng(0).integers(0, 256, (32, 24, 3), dtype=np.uint8)


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


def maskings(family):
    model = small_model(family)
    with torch.inference_mode():
        image = normalise(torch.from_numpy(CROP)[None])
        features = model.features(image)
        expected = model(image)[0]
    grid = Grid.of(small_variant(family))
    made = {
        "last_layer": mask_last_layer(model, features[0]),
        "all_layers": mask_all_layers(model, features[0]),
        "image": mask_image(model, CROP, grid),
    }
    return model, features, grid, made, expected


@pytest.mark.parametrize("depth", ["last_layer", "all_layers", "image"])
def test_without_nothing_nothing_changes_to_the_bit(family, depth):
    _, _, grid, made, expected = maskings(family)
    heatmaps = made[depth](np.ones((3, grid.tokens), dtype=bool))
    assert heatmaps.shape == (3, KEYPOINTS, 8, 6)
    for heatmap in heatmaps:
        assert torch.equal(heatmap, expected)


@pytest.mark.parametrize("at_once", [1, 2**15])
def test_each_case_is_its_own_whatever_the_chunk(family, at_once, monkeypatch):
    monkeypatch.setattr(module, "_TOKENS_AT_ONCE", at_once)
    _, _, grid, made, _ = maskings(family)
    kept = np.random.default_rng(1).random((5, grid.tokens)) < 0.7
    for masking in made.values():
        alone = torch.cat([masking(kept[[case]]) for case in range(5)])
        torch.testing.assert_close(masking(kept), alone, rtol=1e-4, atol=1e-5)
        assert not torch.allclose(alone[0], alone[1])


@torch.inference_mode()
def test_masked_keys_are_attention_normalised_over_the_rest(family):
    model, features, grid, made, _ = maskings(family)
    kept = np.random.default_rng(1).random((1, grid.tokens)) < 0.5
    removed = torch.from_numpy(~kept[0])

    def attend(query, key, value):
        scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
        return scores.masked_fill(removed, -torch.inf).softmax(dim=-1) @ value

    for depth, layers in (("last_layer", [1]), ("all_layers", [0, 1])):
        expected = model.predict_heatmaps(model.encode(features, dict.fromkeys(layers, attend)))
        torch.testing.assert_close(made[depth](kept), expected, rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_without_everything_a_layer_adds_its_bias_alone(family):
    model, features, grid, made, _ = maskings(family)
    assert model.global_encoder is not None
    first, last = model.global_encoder.layers
    tokens, position = tokens_of(features), model.position(features)

    def starved(layer, tokens):
        tokens = layer.norm1(tokens + layer.self_attn.out_proj.bias)
        return layer.norm2(tokens + layer.linear2(F.relu(layer.linear1(tokens))))

    nothing = np.zeros((1, grid.tokens), dtype=bool)
    in_last = model.predict_heatmaps(feature_map(starved(last, first(tokens, position)), features))
    torch.testing.assert_close(made["last_layer"](nothing), in_last, rtol=1e-4, atol=1e-5)
    in_all = model.predict_heatmaps(feature_map(starved(last, starved(first, tokens)), features))
    torch.testing.assert_close(made["all_layers"](nothing), in_all, rtol=1e-4, atol=1e-5)


def test_a_hidden_cell_changes_the_image_there_alone(family):
    model, _, grid, _, _ = maskings(family)
    seen = []
    model.features = lambda images: seen.append(images) or torch.zeros(1, 8, *grid.size)
    kept = np.ones((1, grid.tokens), dtype=bool)
    kept[0, 5] = False
    mask_image(model, CROP, grid)(kept)
    changed = (seen[0] != normalise(torch.from_numpy(CROP)[None])).any(dim=1)[0].numpy()
    rows, columns = np.nonzero(changed)
    assert len(rows)
    assert set(grid.tokens_at(np.stack((columns, rows), axis=-1)).tolist()) == {5}


def test_a_model_without_encoder_is_refused():
    with pytest.raises(ValueError, match="without encoder"):
        mask_last_layer(small_model("resnet", {"encoder": None}), torch.zeros(8, 4, 3))
