"""Fine-tuning: what is new, how fast each part learns, and what a change of the file does."""

import json
from pathlib import Path

import pytest
import torch

from tests.helpers.small_variants import small_model, small_variant
from tests.training.test_run import PROTOCOL, Watcher, recipe
from transpose.config.load import read_record
from transpose.config.recipe import Recipe
from transpose.config.run_record import RunRecord
from transpose.config.training import CosineSchedule, Training
from transpose.errors import InputError
from transpose.files import sha256_of_file
from transpose.model_sources import PACKAGED
from transpose.models.weights import official_state_dict, read_checkpoint, save_weights
from transpose.skeleton import COCO_PERSON
from transpose.training.data import TrainingData
from transpose.training.inputs import first_model
from transpose.training.interruption import Interrupted
from transpose.training.run import train_variant

pytestmark = pytest.mark.slow

RATE = 1e-3


@pytest.fixture
def data(tiny_dataset: Path) -> TrainingData:
    return TrainingData(tiny_dataset / "annotations.json", tiny_dataset / "annotations.json", COCO_PERSON)


@pytest.fixture
def initial(tmp_path: Path) -> Path:
    """Weights of a small model for five keypoints."""
    return write_initial(tmp_path / "initial.safetensors", seed=0)


def write_initial(path: Path, seed: int) -> Path:
    save_weights(small_model("resnet", seed=seed), path, {"variant": "small_coco", "seed": "3"})
    return path


def fine_tuning(initial: Path, **training: object) -> Recipe:
    return recipe(initial_weights=str(initial), pretrained_rate_factor=0.1, **training)


def one_step(initial: Path) -> Recipe:
    """A single step of Adam, which moves every weight that has a gradient by the learning rate."""
    return fine_tuning(initial, epochs=1, batch_size=8, schedule=CosineSchedule(start=RATE, end=RATE))


def test_the_last_layer_learns_at_the_full_rate_and_the_rest_at_a_tenth(
    data: TrainingData, initial: Path, tmp_path: Path
) -> None:
    train_variant(one_step(initial), 0, data, PROTOCOL, tmp_path / "run", Watcher())
    before, after = read_checkpoint(initial), read_checkpoint(tmp_path / "run" / "last.safetensors")
    for key in ("conv1.weight", "reduce.weight", "global_encoder.layers.1.linear2.weight", "deconv_layers.0.weight"):
        assert (after[key] - before[key]).abs().max().item() == pytest.approx(RATE / 10, rel=0.02)
    assert torch.equal(after["pos_embedding"], before["pos_embedding"])
    history = json.loads((tmp_path / "run" / "history.jsonl").read_text())
    assert history["learning_rate"] == RATE
    # The new layer's first weights are the seed's: a slower run from the same start shows where it began.
    slow = fine_tuning(initial, epochs=1, batch_size=8, schedule=CosineSchedule(start=1e-9, end=1e-9))
    train_variant(slow, 0, data, PROTOCOL, tmp_path / "slow", Watcher())
    start = read_checkpoint(tmp_path / "slow" / "last.safetensors")
    assert start["final_layer.weight"].shape == (17, 6, 1, 1)
    moved = (after["final_layer.weight"] - start["final_layer.weight"]).abs().max().item()
    assert moved == pytest.approx(RATE, rel=0.02)
    assert start["final_layer.weight"].abs().max() <= 6**-0.5


def test_the_record_names_the_file_and_what_is_not_from_it(data: TrainingData, initial: Path, tmp_path: Path) -> None:
    record = train_variant(fine_tuning(initial, epochs=1), 0, data, PROTOCOL, tmp_path / "run", Watcher())
    assert record.initialisation == "fine-tuned from small_coco, seed 3, with a new last layer"
    assert record.training is not None
    assert record.training.initial_weights_sha256 == sha256_of_file(initial)
    assert record.training.not_from_initial_weights == ("final_layer.bias", "final_layer.weight", "pos_embedding")
    scratch = train_variant(recipe(epochs=1), 0, data, PROTOCOL, tmp_path / "scratch", Watcher())
    assert scratch.training is not None
    assert (scratch.training.initial_weights_sha256, scratch.training.not_from_initial_weights) == (None, None)


def test_weights_of_a_training_keep_their_last_layer_for_the_same_keypoints(data: TrainingData, tmp_path: Path) -> None:
    train_variant(recipe(epochs=1), 0, data, PROTOCOL, tmp_path / "run", Watcher())
    for name in ("weights.safetensors", "last.safetensors"):
        before = read_checkpoint(tmp_path / "run" / name)
        # Another input size has another grid, and the position embedding of that grid.
        for size in ((32, 24), (64, 48)):
            other = recipe(initial_weights=str(tmp_path / "run" / name))
            other = other.model_copy(update={"variant": small_variant("resnet", {"input_size": size})})
            network, first = first_model(other, data.skeleton)
            for key in ("final_layer.weight", "final_layer.bias"):
                assert torch.equal(official_state_dict(network)[key], before[key])
            assert (first.description, first.new_tensors) == ("fine-tuned from small, seed 0", ("pos_embedding",))


def test_a_last_layer_that_is_kept_learns_like_the_rest(data: TrainingData, tmp_path: Path) -> None:
    train_variant(recipe(epochs=1), 0, data, PROTOCOL, tmp_path / "first", Watcher())
    initial = tmp_path / "first" / "last.safetensors"
    train_variant(one_step(initial), 0, data, PROTOCOL, tmp_path / "run", Watcher())
    before, after = read_checkpoint(initial), read_checkpoint(tmp_path / "run" / "last.safetensors")
    for key in ("conv1.weight", "final_layer.weight"):
        assert (after[key] - before[key]).abs().max().item() == pytest.approx(RATE / 10, rel=0.02)


@pytest.mark.parametrize("change", ["another order", "one more", "none named"])
def test_a_last_layer_for_other_keypoints_is_replaced(tmp_path: Path, change: str) -> None:
    names = COCO_PERSON.keypoints
    keypoints = {"another order": names[::-1], "one more": (*names, "tail"), "none named": None}[change]
    model = small_model("resnet", keypoints=len(keypoints or names))
    save_weights(model, tmp_path / "weights.safetensors", {}, keypoints)
    _, first = first_model(recipe(initial_weights=str(tmp_path / "weights.safetensors")), COCO_PERSON)
    assert first.new_tensors == ("final_layer.bias", "final_layer.weight", "pos_embedding")
    assert first.description.endswith(", with a new last layer")


def test_the_packaged_model_keeps_its_last_layer_for_coco_s_keypoints() -> None:
    weights = PACKAGED / "weights.safetensors"
    packaged = read_record(RunRecord, PACKAGED / "run.json").recipe
    training = Training(initial_weights=str(weights))
    network, _ = first_model(packaged.model_copy(update={"training": training}), COCO_PERSON)
    before, after = read_checkpoint(weights), official_state_dict(network)
    assert all(torch.equal(after[key], before[key]) for key in ("final_layer.weight", "final_layer.bias"))


def test_a_checkpoint_of_another_trainer_starts_a_training(data: TrainingData, initial: Path, tmp_path: Path) -> None:
    wrapped = {f"module.{key}": tensor for key, tensor in read_checkpoint(initial).items()}
    torch.save({"epoch": 7, "state_dict": wrapped}, tmp_path / "checkpoint.pth.tar")
    path = tmp_path / "checkpoint.pth.tar"
    _, first = first_model(recipe(initial_weights=str(path)), data.skeleton)
    assert first.description == f"fine-tuned from {path.name}, with a new last layer"
    _, first = first_model(recipe(backbone_weights=str(path)), data.skeleton)
    assert first.description == f"backbone {path.name}"


def test_an_interrupted_fine_tuning_continues_to_the_same_bytes(
    data: TrainingData, initial: Path, tmp_path: Path
) -> None:
    train_variant(fine_tuning(initial), 0, data, PROTOCOL, tmp_path / "whole", Watcher())
    with pytest.raises(Interrupted):
        train_variant(fine_tuning(initial), 0, data, PROTOCOL, tmp_path / "cut", Watcher(signal_at=3))
    train_variant(fine_tuning(initial), 0, data, PROTOCOL, tmp_path / "cut", Watcher())
    for name in ("weights.safetensors", "last.safetensors", "history.jsonl"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()


def test_a_checkpoint_from_other_initial_weights_is_not_continued(
    data: TrainingData, initial: Path, tmp_path: Path
) -> None:
    with pytest.raises(Interrupted):
        train_variant(fine_tuning(initial), 0, data, PROTOCOL, tmp_path / "run", Watcher(signal_at=4))
    write_initial(initial, seed=1)
    rest = Watcher()
    train_variant(fine_tuning(initial), 0, data, PROTOCOL, tmp_path / "run", rest)
    assert rest.steps == 6


def test_weights_of_another_variant_are_refused(data: TrainingData, initial: Path, tmp_path: Path) -> None:
    other = fine_tuning(initial).model_copy(update={"variant": small_variant("hrnet")})
    with pytest.raises(InputError, match=r"initial\.safetensors"):
        train_variant(other, 0, data, PROTOCOL, tmp_path / "run", Watcher())
    assert not (tmp_path / "run" / "weights.safetensors").exists()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"initial_weights": "a", "backbone_weights": "b"}, "set backbone_weights to null"),
        ({"pretrained_rate_factor": 0.1}, "no effect without initial_weights"),
        ({"freeze_backbone": True}, "needs backbone_weights or initial_weights"),
    ],
)
def test_settings_without_a_meaning_are_refused(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Training.model_validate(settings)
