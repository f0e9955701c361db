"""Export of a trained variant's backbone."""

from pathlib import Path

import pytest
import torch

from tests.helpers.small_variants import FAMILIES, small_encoder, small_model, small_variant
from transpose.errors import InputError
from transpose.models.variants import build_model
from transpose.models.weights import (
    export_backbone,
    load_backbone,
    read_checkpoint,
    read_metadata,
    save_backbone,
    save_weights,
)


@pytest.mark.parametrize("family", FAMILIES)
def test_another_variant_with_other_keypoints_starts_from_the_trained_backbone(family: str, tmp_path: Path) -> None:
    trained = small_model(family, {"encoder": None})
    save_weights(trained, tmp_path / "trained.safetensors", {})
    variant = small_variant(family, {"encoder": None})
    export_backbone(variant, tmp_path / "trained.safetensors", "rendered people", tmp_path / "backbone.safetensors")
    other = build_model(small_variant(family, {"encoder": small_encoder(layers=1)}), keypoints=3)
    load_backbone(other, tmp_path / "backbone.safetensors")
    expected = trained.backbone.state_dict()
    for name, tensor in other.backbone.state_dict().items():
        assert torch.equal(tensor, expected[name])


def test_it_holds_the_backbone_alone_and_its_description(tmp_path: Path) -> None:
    trained = small_model("resnet")
    save_weights(trained, tmp_path / "trained.safetensors", {"epoch": "7"})
    for name in ("a.safetensors", "b.safetensors"):
        export_backbone(small_variant("resnet"), tmp_path / "trained.safetensors", "rendered people", tmp_path / name)
    assert read_metadata(tmp_path / "a.safetensors") == {"description": "rendered people"}
    assert read_checkpoint(tmp_path / "a.safetensors").keys() == trained.backbone.state_dict().keys()
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()


def fails(variant_changes: dict[str, object], weights: Path, words: str) -> None:
    output = weights.parent / "backbone.safetensors"
    with pytest.raises(InputError) as caught:
        export_backbone(small_variant("resnet", variant_changes), weights, "rendered people", output)
    assert words in str(caught.value)
    assert not output.exists()


def test_weights_of_another_variant_are_refused(tmp_path: Path) -> None:
    save_weights(small_model("resnet"), tmp_path / "trained.safetensors", {})
    fails({"dim": 4}, tmp_path / "trained.safetensors", "trained.safetensors: ")
    fails({"encoder": None}, tmp_path / "trained.safetensors", "not part of this model")


def test_a_backbone_alone_is_no_trained_variant(tmp_path: Path) -> None:
    save_backbone(small_model("resnet"), tmp_path / "alone.safetensors", {})
    fails({}, tmp_path / "alone.safetensors", "alone.safetensors: final_layer.bias: missing")


def test_missing_weights_are_reported(tmp_path: Path) -> None:
    fails({}, tmp_path / "nowhere.safetensors", "nowhere.safetensors: no such file")
