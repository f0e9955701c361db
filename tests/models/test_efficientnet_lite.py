"""EfficientNet-Lite0: numbers of another implementation, padding, and names of the whole network's parts."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.formula_weights import formula_state
from transpose.config.load import load_variant
from transpose.errors import InputError
from transpose.models.efficientnet_lite import EfficientNetLite
from transpose.models.variants import build_model
from transpose.models.weights import load_backbone, save_tensors

VARIANTS = Path(__file__).parents[2] / "config" / "variants"


@pytest.fixture
def variant():
    return load_variant("e_sine", VARIANTS)


def test_features_are_those_of_the_package_efficientnet_lite_pytorch():
    """The golden maps are of its version 0.1.0 in float64, with the same weights by formula."""
    backbone = EfficientNetLite().double().eval()
    backbone.load_state_dict(formula_state(backbone.state_dict(), "efficientnet_lite0"))
    pixels = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 3, 64, 48)))
    images = (pixels - backbone.get_buffer("shift")) / backbone.get_buffer("scale")
    with torch.inference_mode():
        features = backbone(images)
    golden = np.load(Path(__file__).with_name("efficientnet_lite0.npz"))
    fine, coarse = (golden[name] - golden[name].mean() for name in ("stride_8", "stride_16"))
    np.testing.assert_allclose(features[:, :40], fine / fine.std(), atol=1e-4)
    for row in (0, 1):
        for column in (0, 1):
            np.testing.assert_allclose(features[:, 40:, row::2, column::2], coarse / coarse.std(), atol=1e-4)


def test_pixels_are_scaled_to_minus_one_to_one():
    backbone = EfficientNetLite()
    mean, std = (torch.tensor(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    for pixel, expected in ((0.0, -1.0), (1.0, 1.0)):
        scaled = (pixel - mean) / std * backbone.get_buffer("scale") + backbone.get_buffer("shift")
        torch.testing.assert_close(scaled, torch.full_like(scaled, expected))


@pytest.mark.parametrize("size", [(64, 48), (24, 40), (8, 8)])
def test_the_grid_has_stride_8(size):
    features = EfficientNetLite().eval()(torch.zeros(2, 3, *size))
    assert features.shape == (2, EfficientNetLite().out_channels, size[0] // 8, size[1] // 8)


def test_a_checkpoint_of_the_whole_network_starts_the_backbone(tmp_path, variant):
    trained = build_model(variant, 17).backbone.state_dict()
    later = {"blocks.5.0.conv_pw.weight": torch.ones(3), "bn2.weight": torch.ones(3), "classifier.bias": torch.ones(3)}
    save_tensors(trained | later, tmp_path / "whole.safetensors", {})
    model = build_model(variant, 17)
    load_backbone(model, tmp_path / "whole.safetensors")
    torch.testing.assert_close(model.backbone.state_dict(), trained, rtol=0, atol=0)


def test_a_checkpoint_of_another_network_is_refused(tmp_path, variant):
    state = {f"{name}.other": tensor for name, tensor in build_model(variant, 17).backbone.state_dict().items()}
    save_tensors(state, tmp_path / "other.safetensors", {})
    with pytest.raises(InputError, match="missing"):
        load_backbone(build_model(variant, 17), tmp_path / "other.safetensors")
