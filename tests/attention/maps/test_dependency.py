"""Dependency and affected areas of keypoints, on models with known attention."""

import numpy as np
import pytest
import torch

from tests.helpers.small_variants import FAMILIES, KEYPOINTS, noise, small_encoder, small_model, small_variant
from transpose.attention.maps.capture import capture
from transpose.attention.maps.dependency import explain_persons
from transpose.attention.maps.grid import Grid
from transpose.errors import InputError

GRID = Grid.of(small_variant("resnet"))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_areas_are_rows_and_columns_of_the_attention_averaged_over_heads(family: str, batch_size: int):
    model, variant = small_model(family), small_variant(family)
    images = noise(3, 3, 32, 24)
    points = np.random.default_rng(0).uniform((-5, -5), (30, 40), (3, KEYPOINTS, 2))
    result = explain_persons(model, variant, images, points, batch_size)
    tokens = Grid.of(variant).tokens_at(points)
    np.testing.assert_array_equal(result.queries, tokens)
    assert result.dependency.shape == result.affected.shape == (3, 2, KEYPOINTS, Grid.of(variant).tokens)
    with torch.inference_mode():
        _, layers = capture(model, model.features(images))
    for layer, attention in enumerate(layers):
        mean = attention.matrix().mean(dim=1).numpy()
        for person, keypoint in np.ndindex(3, KEYPOINTS):
            query = tokens[person, keypoint]
            np.testing.assert_allclose(result.dependency[person, layer, keypoint], mean[person, query], atol=1e-5)
            np.testing.assert_allclose(result.affected[person, layer, keypoint], mean[person, :, query], atol=1e-5)


def test_no_persons_is_no_error():
    model, variant = small_model("resnet"), small_variant("resnet")
    result = explain_persons(model, variant, torch.zeros(0, 3, 32, 24), np.zeros((0, 2, 2), dtype=float))
    assert result.dependency.shape == (0, 2, 2, GRID.tokens)


def test_a_variant_without_encoder_says_so():
    changes = {"encoder": None}
    model, variant = small_model("resnet", changes), small_variant("resnet", changes)
    with pytest.raises(InputError, match="small: encoder: has no attention to explain"):
        explain_persons(model, variant, torch.zeros(1, 3, 32, 24), np.zeros((1, 2, 2)))


def test_a_mirror_symmetric_image_looks_the_same_to_both_passes():
    model, variant = small_model("resnet"), small_variant("resnet")
    half = noise(2, 3, 32, 12)
    images = torch.cat((half, half.flip(-1)), dim=-1)
    # Left and right keypoints at mirrored places, as a symmetric person has them.
    left, right = np.array([[3.0, 5.0], [8.0, 20.0]]), np.array([[20.0, 5.0], [15.0, 20.0]])
    points = np.broadcast_to(np.concatenate((left, right)), (2, 4, 2))
    swapped = [2, 3, 0, 1]
    seen, turned = (explain_persons(model, variant, images, points, mirrored=mirrored) for mirrored in (False, True))
    assert (seen.image_pass, turned.image_pass) == ("unflipped", "mirrored")
    np.testing.assert_array_equal(seen.queries, turned.queries)
    mirror = GRID.mirrored_tokens().numpy()
    for area in ("dependency", "affected"):
        expected = getattr(seen, area)[:, :, swapped][..., mirror]
        np.testing.assert_allclose(getattr(turned, area), expected, rtol=1e-4, atol=1e-6)
        assert not np.allclose(getattr(turned, area), getattr(seen, area))


def test_a_mirror_symmetric_model_gives_both_passes_the_same_areas():
    variant = small_variant("resnet", {"encoder": small_encoder(position_embedding="none")})
    model = small_model("resnet", {"encoder": small_encoder(position_embedding="none")})
    weights = noise(8, 3, 1, 1)
    model.features = lambda images: torch.nn.functional.conv2d(torch.nn.functional.avg_pool2d(images, 8), weights)
    images = noise(2, 3, 32, 24)
    points = np.random.default_rng(0).uniform((0, 0), (23, 31), (2, KEYPOINTS, 2))
    seen, turned = (explain_persons(model, variant, images, points, mirrored=mirrored) for mirrored in (False, True))
    np.testing.assert_allclose(turned.dependency, seen.dependency, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(turned.affected, seen.affected, rtol=1e-4, atol=1e-6)
    assert seen.dependency.std() > 1e-3
