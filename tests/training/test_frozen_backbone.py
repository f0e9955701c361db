"""A frozen backbone keeps its starting weights and statistics; the layers after it learn."""

from pathlib import Path

import pytest
import torch

from tests.helpers.small_variants import FAMILIES, small_model, small_variant
from tests.training.test_run import PROTOCOL, Watcher, recipe
from transpose.config.recipe import Recipe
from transpose.config.run_record import RunRecord
from transpose.models.variants import build_to_train, training_mode
from transpose.models.weights import read_checkpoint, save_backbone, save_weights
from transpose.skeleton import COCO_PERSON
from transpose.training.data import TrainingData
from transpose.training.run import train_variant

pytestmark = pytest.mark.slow


@pytest.fixture
def data(tiny_dataset: Path) -> TrainingData:
    return TrainingData(tiny_dataset / "annotations.json", tiny_dataset / "annotations.json", COCO_PERSON)


def trained(start: Recipe, data: TrainingData, folder: Path) -> tuple[RunRecord, dict[str, torch.Tensor]]:
    record = train_variant(start, 0, data, PROTOCOL, folder, Watcher())
    return record, read_checkpoint(folder / "last.safetensors")


@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_layers_after_a_pretrained_backbone_learn(family: str, data: TrainingData, tmp_path: Path) -> None:
    pretrained = small_model(family, seed=3)
    save_backbone(pretrained, tmp_path / "backbone.safetensors", {"description": "made up"})
    start = recipe(epochs=1, backbone_weights=str(tmp_path / "backbone.safetensors"), freeze_backbone=True)
    start = start.model_copy(update={"variant": small_variant(family)})
    record, after = trained(start, data, tmp_path / "run")
    backbone = pretrained.backbone.state_dict()
    # Weights, running statistics and their counters.
    assert all(torch.equal(after[name], tensor) for name, tensor in backbone.items())
    # The last layer's bias starts at 0.
    assert after["final_layer.bias"].abs().max() > 0
    assert record.initialisation == "frozen backbone made up"
    position = after["pos_embedding"].numel()
    in_backbone = sum(parameter.numel() for parameter in pretrained.backbone.parameters())
    assert record.parameters - record.trainable_parameters == in_backbone + position


def test_a_whole_model_is_fine_tuned_behind_its_backbone(data: TrainingData, tmp_path: Path) -> None:
    initial = tmp_path / "initial.safetensors"
    save_weights(small_model("resnet", seed=0), initial, {}, COCO_PERSON.keypoints[:5])
    before = read_checkpoint(initial)
    record, after = trained(
        recipe(epochs=1, initial_weights=str(initial), freeze_backbone=True), data, tmp_path / "run"
    )
    assert record.initialisation == "fine-tuned from initial.safetensors, with a new last layer, with a frozen backbone"
    assert torch.equal(after["conv1.weight"], before["conv1.weight"])
    assert torch.equal(after["bn1.running_mean"], before["bn1.running_mean"])
    assert not torch.equal(after["reduce.weight"], before["reduce.weight"])
    assert not torch.equal(after["deconv_layers.1.running_mean"], before["deconv_layers.1.running_mean"])


def test_other_backbones_are_in_training_mode() -> None:
    for frozen in (True, False):
        start = recipe(initial_weights="any", freeze_backbone=frozen)
        model = build_to_train(start, len(COCO_PERSON))
        assert (model.backbone.training, model.upsampling.training) == (not frozen, True)
        training_mode(model.eval())
        assert (model.backbone.training, model.upsampling.training) == (not frozen, True)
