"""BlazePose's backbone: numbers of another implementation with the packaged weights, and other input sizes."""

from pathlib import Path

import numpy as np
import pytest
import torch

import transpose
from transpose.config.load import load_variant
from transpose.errors import InputError
from transpose.models.blazepose import BlazePose
from transpose.models.variants import build_model
from transpose.models.weights import load_backbone, save_tensors

VARIANTS = Path(__file__).parents[2] / "config" / "variants"


@pytest.fixture(scope="module")
def packaged():
    backbone = transpose.load().network.backbone
    assert isinstance(backbone, BlazePose)
    return backbone


def made_up_pixels():
    """Return an image [1, 3, 256, 256] in [0, 1]."""
    channel, row, column = np.meshgrid(np.arange(3), np.arange(256), np.arange(256), indexing="ij")
    waves = np.sin(row / (7 + 5 * channel)) + np.cos(column / (11 + 3 * channel) + channel)
    return torch.from_numpy((0.5 + 0.25 * waves).astype(np.float32))[None]


def test_features_of_the_packaged_weights_are_those_of_litert(packaged):
    """The golden maps are a quarter of the rows and columns, and mean and standard deviation of the whole maps."""
    images = (made_up_pixels() - packaged.get_buffer("shift")) / packaged.get_buffer("scale")
    with torch.inference_mode():
        features = packaged(images)[0].numpy()
    golden = np.load(Path(__file__).with_name("blazepose.npz"))

    def normalised(name):
        mean, deviation = golden[f"{name}_moments"]
        return (golden[name] - mean) / deviation

    np.testing.assert_allclose(features[:48, 1::4, 2::4], normalised("stride_8"), atol=2e-4)
    for row in (2, 3):
        for column in (4, 5):
            np.testing.assert_allclose(features[48:, row::8, column::8], normalised("stride_16"), atol=2e-4)


@pytest.mark.parametrize("size", [(64, 48), (24, 40), (8, 8)])
def test_the_grid_has_stride_8(packaged, size):
    with torch.inference_mode():
        features = packaged(torch.zeros(2, 3, *size))
    assert features.shape == (2, packaged.out_channels, size[0] // 8, size[1] // 8)
    assert torch.isfinite(features).all()


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    model = build_model(load_variant("b_sine", VARIANTS), 17)
    state = {f"{name}.other": tensor for name, tensor in model.backbone.state_dict().items()}
    save_tensors(state, tmp_path / "other.safetensors", {})
    with pytest.raises(InputError, match="missing"):
        load_backbone(model, tmp_path / "other.safetensors")
