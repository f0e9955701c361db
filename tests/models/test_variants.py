"""The shipped variants: published parameter counts, and the baselines that the same settings express."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.helpers.small_variants import noise, small_encoder, small_model, small_variant
from transpose.config.load import load_variant
from transpose.config.variant import Variant
from transpose.models.variants import build_model, build_upsampling
from transpose.models.weights import official_state_dict
from transpose.reporting.published import load_published

VARIANTS = Path(__file__).parents[2] / "config" / "variants"


def counts(variant):
    """Parameters with and without the fixed position embedding, which the publication counts too."""
    with torch.device("meta"):
        model = build_model(variant, keypoints=17)
    trainable = sum(parameter.numel() for parameter in model.parameters())
    embedding = model.pos_embedding
    fixed = 0 if embedding is None or isinstance(embedding, nn.Parameter) else embedding.numel()
    return trainable + fixed, trainable


@pytest.mark.parametrize(
    ("name", "total", "trainable"),
    [
        ("tp_r_a3", 5_195_345, 4_998_737),
        ("tp_r_a4", 5_985_105, 5_788_497),
        ("tp_h_s", 8_019_281, 7_822_673),
        ("tp_h_a4", 17_306_129, 17_011_217),
        ("tp_h_a6", 17_455_697, 17_160_785),
    ],
)
def test_published_parameter_counts(name, total, trainable):
    assert counts(load_variant(name, VARIANTS)) == (total, trainable)


PUBLISHED = load_published(VARIANTS.parent / "tables" / "published.yaml")


@pytest.mark.parametrize("path", sorted(VARIANTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_variants_of_published_rows_have_their_parameters(path):
    variant = load_variant(path.stem, VARIANTS)
    for row in PUBLISHED.rows:
        if row.name == variant.published and row.input_size == variant.input_size and "params" in row.metrics:
            assert counts(variant)[0] / 1e6 == pytest.approx(row.metrics["params"], abs=0.051)


@pytest.mark.parametrize("path", sorted(VARIANTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_variant_builds(path):
    assert counts(load_variant(path.stem, VARIANTS))[1] > 0


@pytest.mark.parametrize(("blocks", "millions"), [((3, 4, 6, 3), 34.0), ((3, 4, 23, 3), 53.0), ((3, 8, 36, 3), 68.6)])
def test_simple_baseline(blocks, millions):
    backbone = {"family": "resnet", "blocks": blocks}
    variant = Variant.model_validate({"title": "SimpleBaseline", "backbone": backbone, "upsampling": "deconvolution"})
    assert round(counts(variant)[0] / 1e6, 1) == millions


@pytest.mark.parametrize(("width", "millions"), [(32, 28.5), (48, 63.6)])
def test_hrnet_whole(width, millions):
    backbone = {"family": "hrnet", "width": width, "modules": (1, 4, 3)}
    assert round(counts(Variant.model_validate({"title": "HRNet", "backbone": backbone}))[0] / 1e6, 1) == millions


def test_simple_baseline_names():
    backbone = {"family": "resnet", "block": "bottleneck", "blocks": (1, 1, 1, 1), "width": 8}
    changes = {"backbone": backbone, "dim": None, "encoder": None, "input_size": (64, 32)}
    state = official_state_dict(small_model("resnet", changes))
    tops = {key.partition(".")[0] for key in state}
    assert tops == {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "deconv_layers", "final_layer"}
    deconvolutions = {int(key.split(".")[1]) for key in state if key.startswith("deconv_layers.")}
    assert deconvolutions == {0, 1, 3, 4, 6, 7}


@pytest.mark.parametrize(("kind", "in_state", "trained"), [("none", 0, 0), ("learnable", 1, 1), ("sine", 1, 0)])
def test_position_embeddings(kind, in_state, trained):
    model = small_model("resnet", {"encoder": small_encoder(position_embedding=kind)})
    assert ("pos_embedding" in official_state_dict(model)) == in_state
    assert ("pos_embedding" in dict(model.named_parameters())) == trained


def test_bilinear_head():
    variant = small_variant("resnet", {"upsampling": "bilinear"})
    assert build_model(variant, 5)(noise(2, 3, 32, 24)).shape == (2, 5, 8, 6)


def test_dropouts_are_arguments_of_training():
    images = noise(2, 3, 32, 24)
    for rates in ({"dropout": 0.5}, {"attention_dropout": 0.5}):
        model = build_model(small_variant("resnet"), 5, **rates)
        model.train()
        assert not torch.equal(model(images), model(images))
        model.eval()
        assert torch.equal(model(images), model(images))


@pytest.mark.parametrize(("factor", "count"), [(2, 1), (8, 3)])
def test_each_deconvolution_doubles(factor, count):
    module, channels = build_upsampling("deconvolution", 4, 6, factor)
    assert channels == 6
    assert module(torch.zeros(1, 4, 3, 2)).shape == (1, 6, 3 * factor, 2 * factor)
    weights = [name for name, tensor in module.state_dict().items() if tensor.ndim == 4]
    assert weights == [f"{3 * index}.weight" for index in range(count)]


def test_bilinear_keeps_pixel_centres_half_a_pixel_from_the_border():
    module, channels = build_upsampling("bilinear", 1, 6, 2)
    assert channels == 1
    row = module(torch.tensor([[[[0.0, 4.0]]]]))[0, 0, 0]
    torch.testing.assert_close(row, torch.tensor([0.0, 1.0, 3.0, 4.0]))


def test_none_changes_nothing():
    module, channels = build_upsampling("none", 4, 6, 1)
    x = torch.ones(1, 4, 2, 2)
    assert channels == 4
    assert module(x) is x
