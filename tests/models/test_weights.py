"""Weights on disk: round trips, strictness, pretrained backbones, damaged files."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.helpers.small_variants import FAMILIES, small_encoder, small_model
from transpose.errors import InputError
from transpose.models.weights import (
    load_backbone,
    load_official,
    load_to_fine_tune,
    load_weights,
    official_state_dict,
    read_checkpoint,
    read_metadata,
    save_backbone,
    save_weights,
)

SUFFIXES = (".safetensors", ".pth")


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


def changed(model, seed=5):
    """Every tensor of the model replaced, the counters too."""
    generator = torch.Generator().manual_seed(seed)
    for tensor in model.state_dict().values():
        tensor.copy_(torch.randint(1, 9, tensor.shape, generator=generator))
    return model


def assert_equal(actual, expected):
    assert actual.keys() == expected.keys()
    assert all(torch.equal(actual[key], expected[key]) for key in actual)


def refused(problem, action, *arguments):
    with pytest.raises(InputError, match=problem) as caught:
        action(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- round trips


@pytest.mark.parametrize("embedding", ["none", "learnable", "sine"])
def test_round_trip(tmp_path, family, embedding):
    changes = {"encoder": small_encoder(position_embedding=embedding)}
    path = tmp_path / "weights.safetensors"
    saved = changed(small_model(family, changes))
    save_weights(saved, path, {"variant": "small", "epoch": "3"})
    loaded = small_model(family, changes)
    load_weights(loaded, path)
    assert_equal(loaded.state_dict(), saved.state_dict())
    assert read_metadata(path) == {"variant": "small", "epoch": "3"}


def test_equal_weights_are_equal_bytes(tmp_path):
    model = small_model("resnet")
    metadata = {str(number): "x" for number in range(20)}
    contents = set()
    for number, items in enumerate((metadata.items(), reversed(metadata.items()))):
        save_weights(model, tmp_path / f"{number}.safetensors", dict(items))
        contents.add((tmp_path / f"{number}.safetensors").read_bytes())
    assert len(contents) == 1


def test_names_on_disk_are_official(tmp_path):
    model = small_model("resnet")
    save_weights(model, tmp_path / "weights.safetensors", {})
    keys = read_checkpoint(tmp_path / "weights.safetensors").keys()
    assert keys == official_state_dict(model).keys()
    assert {"conv1.weight", "deconv_layers.0.weight", "global_encoder.layers.1.self_attn.in_proj_bias"} <= keys
    assert not any(key.startswith(("backbone.", "upsampling.")) for key in keys)


def test_official_checkpoint(tmp_path, family):
    state = official_state_dict(changed(small_model(family)))
    torch.save(state, tmp_path / "official.pth")
    model = small_model(family)
    load_weights(model, tmp_path / "official.pth")
    assert_equal(official_state_dict(model), state)


def test_a_failed_save_leaves_nothing(tmp_path):
    model = small_model("resnet")
    with pytest.raises(TypeError):
        save_weights(model, tmp_path / "weights.safetensors", {"not text": b""})  # pyright: ignore[reportArgumentType]
    assert list(tmp_path.iterdir()) == []


# --- strictness


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("reduce.weight", None, "missing"),
        ("pos_embedding", None, "missing"),
        ("final_layer.weight", torch.zeros(17, 6, 1, 1), r"shape \[17, 6, 1, 1\], not \[5, 6, 1, 1\]"),
        ("module.conv1.weight", torch.zeros(1), "not part of this model"),
        ("backbone.conv1.weight", torch.zeros(1), "not part of this model"),
        ("conv1.weight", torch.zeros(8, 3, 7, 7, dtype=torch.int64), r"dtype is torch.int64, not torch.float32"),
    ],
)
def test_whatever_does_not_fit_is_named(key, value, problem):
    model = small_model("resnet")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = {name: tensor + 1 for name, tensor in official_state_dict(model).items() if name != key}
    if value is not None:
        state[key] = value
    message = refused(problem, load_official, model, state, "some.pth")
    assert message.startswith(f"some.pth: {key}: ")
    assert_equal(model.state_dict(), before)


def test_double_precision_is_accepted():
    model = small_model("resnet")
    state = {key: tensor.double() for key, tensor in official_state_dict(model).items() if tensor.is_floating_point()}
    load_official(model, official_state_dict(model) | state, "some.pth")
    assert model.reduce.weight.dtype == torch.float32


# --- backbones


def larger(family, modules=(1, 2, 1), blocks=(1, 1, 1)):
    """A model of the same family whose backbone goes on where the small one is cut."""
    if family == "hrnet":
        backbone = {"family": "hrnet", "width": 4, "stem_width": 4, "bottlenecks": 1, "modules": modules, "blocks": 1}
    else:
        backbone = {"family": "resnet", "block": "basic", "blocks": blocks, "width": 8}
    return changed(small_model(family, {"backbone": backbone, "input_size": (64, 48)}))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_backbone_of_a_larger_network(tmp_path, family, suffix):
    large = larger(family)
    state = dict(large.backbone.state_dict()) | {"fc.weight": torch.zeros(10, 3), "fc.bias": torch.zeros(10)}
    path = tmp_path / f"imagenet{suffix}"
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_weights(large, path, {})
    model = small_model(family)
    rest = {key: tensor.clone() for key, tensor in model.state_dict().items() if not key.startswith("backbone.")}
    load_backbone(model, path)
    own = model.backbone.state_dict()
    assert all(torch.equal(tensor, state[key]) for key, tensor in own.items())
    assert len(own) < len(large.backbone.state_dict())
    assert_equal({key: tensor for key, tensor in model.state_dict().items() if key in rest}, rest)


def test_backbone_round_trip(tmp_path, family):
    saved = changed(small_model(family))
    save_backbone(saved, tmp_path / "backbone.safetensors", {})
    model = small_model(family)
    load_backbone(model, tmp_path / "backbone.safetensors")
    assert_equal(model.backbone.state_dict(), saved.backbone.state_dict())


def test_backbone_without_batch_counters(tmp_path, family):
    # ImageNet files from before PyTorch 0.4.1 have none.
    full = changed(small_model(family)).backbone.state_dict()
    state = {key: tensor for key, tensor in full.items() if not key.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "old.pth")
    model = small_model(family)
    load_backbone(model, tmp_path / "old.pth")
    assert all(torch.equal(model.backbone.state_dict()[key], tensor) for key, tensor in state.items())


@pytest.mark.parametrize(
    ("change", "key", "problem"),
    [
        ({"layer2.0.conv1.weight": None}, "layer2.0.conv1.weight", "missing"),
        ({"layer1.0.bn1.num_batches_tracked": None}, "layer1.0.bn1.num_batches_tracked", "missing"),
        ({"layer2.9.conv1.weight": torch.zeros(1)}, "layer2.9.conv1.weight", "not part of this model"),
        ({"layer5.0.conv1.weight": torch.zeros(1)}, "layer5.0.conv1.weight", "not part of this model"),
        ({"conv1.weight": torch.zeros(4, 3, 7, 7)}, "conv1.weight", "shape"),
    ],
)
def test_backbone_is_strict_about_its_own_parts(tmp_path, change, key, problem):
    model = small_model("resnet")
    state = {**model.backbone.state_dict(), **change}
    torch.save({name: tensor for name, tensor in state.items() if tensor is not None}, tmp_path / "bad.pth")
    message = refused(problem, load_backbone, model, tmp_path / "bad.pth")
    assert f": {key}: " in message


def test_backbone_of_the_other_family_is_refused(tmp_path):
    save_backbone(small_model("hrnet"), tmp_path / "hrnet.safetensors", {})
    refused(
        "hrnet.safetensors: conv1.weight: shape", load_backbone, small_model("resnet"), tmp_path / "hrnet.safetensors"
    )


def test_a_branch_that_is_needed_is_not_taken_for_dropped(tmp_path):
    # The file's last module is ours' but one, so the branches that it lacks are missing, not ignored.
    short = larger("hrnet", modules=(1, 1))
    save_backbone(short, tmp_path / "short.safetensors", {})
    problem = r"stage3\.0\.fuse_layers\.1\.0\.0\.0\.weight, .* more: missing$"
    refused(problem, load_backbone, small_model("hrnet"), tmp_path / "short.safetensors")


# --- damaged files


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kept", [0, 5, 100, 0.5, 0.99])
def test_truncated_file(tmp_path, suffix, kept):
    model = small_model("resnet")
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pth":
        torch.save(official_state_dict(model), path)
    else:
        save_weights(model, path, {})
    content = path.read_bytes()
    path.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    message = refused("not a", load_weights, model, path)
    assert message.startswith(str(path))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_text_in_place_of_weights(tmp_path, suffix):
    path = tmp_path / f"weights{suffix}"
    path.write_text("<html>404 not found</html>")
    refused("not a", read_checkpoint, path)


def test_missing_file_and_foreign_suffix(tmp_path):
    refused("no such file", read_checkpoint, tmp_path / "absent.pth")
    refused("no such file", read_metadata, tmp_path / "absent.safetensors")
    (tmp_path / "weights.onnx").touch()
    refused("not '.onnx'", read_checkpoint, tmp_path / "weights.onnx")


class Malicious:
    """Runs code when an unrestricted unpickler meets it."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self):
        return Path.unlink, (self.victim,)


def test_code_in_a_checkpoint_is_not_run(tmp_path):
    victim = tmp_path / "victim"
    victim.touch()
    torch.save({"conv1.weight": Malicious(victim)}, tmp_path / "bad.pth")
    refused("not a PyTorch checkpoint of plain tensors", read_checkpoint, tmp_path / "bad.pth")
    assert victim.exists()


@pytest.mark.parametrize(("value", "problem"), [([1, 2], "no named tensors"), ({"epoch": 3}, "no named tensors")])
def test_other_content_is_refused(tmp_path, value, problem):
    torch.save(value, tmp_path / "other.pth")
    refused(problem, read_checkpoint, tmp_path / "other.pth")


# --- fine-tuning


def whole_model(tmp_path, family, changes=None):
    """Weights of a whole model with integers everywhere but in the position embedding."""
    path = tmp_path / "whole.safetensors"
    model = small_model(family, changes)
    embedding = model.state_dict()["pos_embedding"].clone()
    changed(model).state_dict()["pos_embedding"].copy_(embedding)
    save_weights(model, path, {"variant": "small", "seed": "0"})
    return path


def test_fine_tuning_takes_all_but_the_last_layer_and_the_grid_s_embedding(tmp_path, family):
    path = whole_model(tmp_path, family)
    model = small_model(family, {"input_size": (64, 64)}, seed=1)
    model.final_layer = torch.nn.Conv2d(model.final_layer.in_channels, 16, 1)
    before = {key: tensor.clone() for key, tensor in official_state_dict(model).items()}
    new = load_to_fine_tune(model, path)
    assert new == ["final_layer.bias", "final_layer.weight", "pos_embedding"]
    file, after = read_checkpoint(path), official_state_dict(model)
    assert after["pos_embedding"].shape != file["pos_embedding"].shape
    assert_equal({key: after[key] for key in new}, {key: before[key] for key in new})
    assert_equal({k: v for k, v in after.items() if k not in new}, {k: v for k, v in file.items() if k not in new})
    assert model.eval()(torch.zeros(1, 3, 64, 64)).shape == (1, 16, 16, 16)


def test_a_learnable_embedding_is_taken_on_its_grid_and_refused_on_another(tmp_path):
    changes = {"encoder": small_encoder(position_embedding="learnable")}
    path = whole_model(tmp_path, "resnet", changes)
    same = small_model("resnet", changes, seed=1)
    assert load_to_fine_tune(same, path) == ["final_layer.bias", "final_layer.weight"]
    torch.testing.assert_close(same.pos_embedding, read_checkpoint(path)["pos_embedding"])
    other = small_model("resnet", {**changes, "input_size": (64, 64)}, seed=1)
    refused(r"pos_embedding: shape \[12, 1, 8\], not \[64, 1, 8\]", load_to_fine_tune, other, path)
    refused("pos_embedding: is not the fixed sine", load_to_fine_tune, small_model("resnet"), path)


@pytest.mark.parametrize("value", [torch.full((12, 1, 8), torch.nan), torch.zeros(0), torch.ones(12, 1, 8).bool()])
def test_an_embedding_that_is_not_a_sine_is_refused(tmp_path, value):
    state = official_state_dict(small_model("resnet")) | {"pos_embedding": value}
    torch.save(state, tmp_path / "w.pth")
    refused("pos_embedding: is not the fixed sine", load_to_fine_tune, small_model("resnet"), tmp_path / "w.pth")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"encoder": small_encoder(layers=1)}, "global_encoder.layers.1.* not part of this model"),
        ({"encoder": small_encoder(layers=3)}, "global_encoder.layers.2.* missing"),
        ({"dim": 12}, r"reduce.weight: shape \[8, 16, 1, 1\], not \[12, 16, 1, 1\]"),
    ],
)
def test_fine_tuning_refuses_another_model_and_leaves_it_unchanged(tmp_path, changes, problem):
    path = whole_model(tmp_path, "resnet")
    model = small_model("resnet", changes, seed=1)
    before = {key: tensor.clone() for key, tensor in official_state_dict(model).items()}
    refused(problem, load_to_fine_tune, model, path)
    assert_equal(official_state_dict(model), before)


def test_fine_tuning_needs_a_whole_model(tmp_path):
    save_backbone(small_model("resnet"), tmp_path / "backbone.safetensors", {})
    refused("final_layer.*: missing", load_to_fine_tune, small_model("resnet"), tmp_path / "backbone.safetensors")


@pytest.mark.parametrize("content", ["{", "[]", '{"seed": 0}'])
def test_wrong_metadata_is_refused(tmp_path, content):
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors", {"transpose": content})
    refused("w.safetensors: transpose: ", read_metadata, tmp_path / "w.safetensors")
