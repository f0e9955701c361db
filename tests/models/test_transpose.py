"""The whole model: shapes, other input sizes."""

import pytest
import torch

from tests.helpers.small_variants import FAMILIES, KEYPOINTS, noise, small_encoder, small_model
from transpose.errors import InputError
from transpose.models.encoder import resample_embedding


@pytest.fixture(params=FAMILIES)
def model(request):
    return small_model(request.param)


@pytest.mark.parametrize("size", [(32, 24), (24, 40), (72, 8), (8, 56)])
def test_heatmaps_have_a_quarter_of_the_input(model, size):
    assert model(noise(2, 3, *size)).shape == (2, KEYPOINTS, size[0] // 4, size[1] // 4)


def test_forward_is_its_three_steps(model):
    images = noise(1, 3, 32, 24)
    features = model.features(images)
    assert features.shape == (1, 8, *model.grid_size((32, 24)))
    assert torch.equal(model.predict_heatmaps(model.encode(features)), model(images))


def test_an_image_does_not_depend_on_its_batch(model):
    images = noise(4, 3, 32, 24)
    alone = torch.cat([model(image[None]) for image in images])
    torch.testing.assert_close(model(images), alone, rtol=1e-5, atol=1e-5)


def test_channels_last_changes_no_number(model):
    images = noise(2, 3, 32, 24)
    expected = model(images)
    actual = model.to(memory_format=torch.channels_last)(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["sine", "learnable"])
def test_other_sizes_resample_the_embedding(kind):
    model = small_model("resnet", {"encoder": small_encoder(position_embedding=kind)})
    images = noise(1, 3, 48, 40)
    larger = small_model("resnet", {"encoder": small_encoder(position_embedding=kind), "input_size": (48, 40)})
    assert model.pos_embedding is not None
    assert larger.pos_embedding is not None
    resampled = resample_embedding(model.pos_embedding, (4, 3), (6, 5))
    state = model.state_dict() | {"pos_embedding": resampled}
    larger.load_state_dict(state)
    torch.testing.assert_close(model(images), larger(images))


def test_gradient_reaches_a_learnable_embedding_through_resampling():
    model = small_model("resnet", {"encoder": small_encoder(position_embedding="learnable")})
    model(noise(1, 3, 48, 40)).square().sum().backward()
    assert model.pos_embedding is not None
    assert model.pos_embedding.grad is not None
    assert model.pos_embedding.grad.any()


def test_without_encoder_only_the_convolutional_path_remains():
    model = small_model("resnet", {"encoder": None})
    images = noise(1, 3, 32, 24)
    expected = model.predict_heatmaps(model.features(images))
    assert torch.equal(model(images), expected)


@pytest.mark.parametrize(("family", "size"), [("resnet", (32, 20)), ("hrnet", (30, 24)), ("hrnet", (0, 24))])
def test_size_that_the_stride_does_not_divide_is_refused(family, size):
    with pytest.raises(InputError, match=f"size {size[0]}x{size[1]} is not divisible by"):
        small_model(family)(noise(1, 3, *size))


def test_a_recomputed_embedding_is_that_of_a_network_built_for_the_grid():
    model, larger = small_model("resnet"), small_model("resnet", {"input_size": (48, 40)})
    model.recompute_position((6, 5))
    images = noise(1, 3, 48, 40)
    assert torch.equal(model(images), larger(images))


@pytest.mark.parametrize("kind", ["learnable", "none"])
def test_what_no_formula_gives_is_not_recomputed(kind):
    model = small_model("resnet", {"encoder": small_encoder(position_embedding=kind)})
    with pytest.raises(ValueError, match="only a sine embedding"):
        model.recompute_position((6, 5))
