"""Training as a user meets it: files, interruptions, resumption and bad starts."""

import json
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers.small_variants import small_variant
from transpose.config.dataset import EvaluationMethod, accuracy_of
from transpose.config.load import read_record
from transpose.config.recipe import Recipe
from transpose.config.run_record import RunRecord
from transpose.config.study import EvalProtocol
from transpose.config.training import OneCycleSchedule, Training
from transpose.data.image_cache import CACHE_FOLDER
from transpose.errors import InputError
from transpose.files import folder_lock
from transpose.inference.finite import finite_on_cpu
from transpose.models.variants import build_model
from transpose.models.weights import load_weights, read_metadata
from transpose.provenance import training_code
from transpose.skeleton import COCO_PERSON
from transpose.training.checkpoint import threads_of_checkpoint
from transpose.training.data import TrainingData
from transpose.training.interruption import Interrupted
from transpose.training.loop import DivergedError
from transpose.training.run import train_variant

OUTPUTS = ("weights.safetensors", "last.safetensors", "history.jsonl")
PROTOCOL = EvalProtocol(batch_size=4)


@dataclass
class Watcher:
    """An observer that can raise a signal or an error at a chosen step of the whole run."""

    signal_at: int | None = None
    signal_number: int = signal.SIGTERM
    crash_at: int | None = None
    steps: int = 0
    epochs: int = 0

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        self.steps += 1
        if self.steps == self.signal_at:
            os.kill(os.getpid(), self.signal_number)
        if self.steps == self.crash_at:
            raise KeyError("crash")

    def epoch(self, record: dict[str, Any]) -> None:
        self.epochs += 1


def recipe(**training: Any) -> Recipe:
    settings = {
        "epochs": 3,
        "batch_size": 2,
        "schedule": OneCycleSchedule(kind="one_cycle", peak=1e-3),
        "initialisation": "kaiming",
        "device": "cpu",
        "workers": 0,
        **training,
    }
    return Recipe(name="small", variant=small_variant("resnet"), training=Training(**settings))


@pytest.fixture
def data(tiny_dataset: Path) -> TrainingData:
    return TrainingData(tiny_dataset / "annotations.json", tiny_dataset / "annotations.json", COCO_PERSON)


def test_a_run_leaves_loadable_weights_a_history_and_its_record(data: TrainingData, tmp_path: Path) -> None:
    record = train_variant(recipe(validation_interval=2), 5, data, PROTOCOL, tmp_path / "run", Watcher())
    history = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in history] == [0, 1, 2]
    assert [line["validation"] is not None for line in history] == [False, True, True]
    assert all(line["loss"] > 0 for line in history)
    assert read_record(RunRecord, tmp_path / "run" / "run.json") == record
    assert (record.seed, record.initialisation) == (5, "from scratch")
    assert (record.skeleton, record.evaluation, record.protocol) == (COCO_PERSON, "oks", PROTOCOL)
    assert record.training is not None
    assert record.training.best_epoch in (1, 2)
    assert record.training.best_value == history[record.training.best_epoch]["validation"]["AP"]
    model = build_model(small_variant("resnet"), len(COCO_PERSON))
    # A grid of 4x3 cells and 8 channels: the fixed sine embedding, which the paper counts.
    assert record.parameters - record.trainable_parameters == 4 * 3 * 8
    assert record.trainable_parameters == sum(parameter.numel() for parameter in model.parameters())
    for name in OUTPUTS[:2]:
        load_weights(model, tmp_path / "run" / name)


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([0.0, 0.0, 0.0], 2),
        ([0.5, 0.5, 0.2], 1),
        ([0.1, float("nan"), 0.1], 2),
        ([0.1, float("nan"), -1.0], 0),
        ([float("nan"), 0.0, -1.0], 1),
    ],
)
def test_of_equal_validations_the_last_is_the_best_and_undefined_ones_never_are(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, values: list[float], best: int
) -> None:
    left = iter(values)
    monkeypatch.setattr("transpose.training.run.validator", lambda *_: lambda *_: {"AP": next(left)})
    record = train_variant(recipe(), 0, data, PROTOCOL, tmp_path, Watcher())
    assert record.training is not None
    assert (record.training.best_epoch, record.training.best_value) == (best, values[best])
    assert read_metadata(tmp_path / "weights.safetensors")["epoch"] == str(best)


@pytest.mark.parametrize("evaluation", ["oks", "pckh"])
def test_a_validation_without_labels_is_refused_before_the_training(
    data: TrainingData, tmp_path: Path, evaluation: EvaluationMethod
) -> None:
    content = json.loads(data.validation.read_text())
    for person in content["annotations"]:
        person |= {"keypoints": [0] * 51, "num_keypoints": 0}
    unlabelled = tmp_path / "unlabelled.json"
    unlabelled.write_text(json.dumps(content))
    watcher = Watcher()
    chosen = replace(data, validation=unlabelled, evaluation=evaluation)
    with pytest.raises(InputError) as caught:
        train_variant(recipe(), 0, chosen, PROTOCOL, tmp_path / "run", watcher)
    metric = accuracy_of(evaluation)
    problem = f"{unlabelled}: no person has a labelled keypoint, so {metric} cannot choose the best weights"
    assert str(caught.value) == problem
    assert watcher.steps == 0


def test_outputs_lost_after_the_last_epoch_are_written_again_without_training(
    data: TrainingData, tmp_path: Path
) -> None:
    train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "run", Watcher())
    before = _bytes(tmp_path / "run")
    for name in (*OUTPUTS, "run.json"):
        (tmp_path / "run" / name).unlink(missing_ok=True)
    again = Watcher()
    train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "run", again)
    assert _bytes(tmp_path / "run") == before
    assert (again.steps, again.epochs) == (0, 0)


def test_equal_seeds_give_equal_bytes_and_other_seeds_do_not(data: TrainingData, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train_variant(recipe(epochs=1), seed, data, PROTOCOL, tmp_path / name, Watcher())
    assert _bytes(tmp_path / "a") == _bytes(tmp_path / "b")
    assert _bytes(tmp_path / "a") != _bytes(tmp_path / "c")


@pytest.mark.parametrize("stop", [1, 2, 3, 5])
def test_a_run_stopped_by_a_signal_continues_to_the_same_bytes(data: TrainingData, tmp_path: Path, stop: int) -> None:
    train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "whole", Watcher())
    with pytest.raises(Interrupted, match="SIGTERM"):
        train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "cut", Watcher(signal_at=stop))
    rest = Watcher()
    train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "cut", rest)
    assert rest.steps == 6 - stop
    assert _bytes(tmp_path / "whole") == _bytes(tmp_path / "cut")


@pytest.mark.parametrize("stop", [1, 2, 4, 5, 7])
def test_a_run_that_reads_its_losses_late_stops_and_continues_as_any_other(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    small_batches = recipe(batch_size=1, epochs=2)
    train_variant(small_batches, 0, data, PROTOCOL, tmp_path / "whole", Watcher())
    monkeypatch.setattr("transpose.device.DeviceContext.reads_losses_late", True)
    before, rest = Watcher(signal_at=stop), Watcher()
    with pytest.raises(Interrupted, match="SIGTERM"):
        train_variant(small_batches, 0, data, PROTOCOL, tmp_path / "cut", before)
    train_variant(small_batches, 0, data, PROTOCOL, tmp_path / "cut", rest)
    # The signal arrives when the next step of the epoch has started.
    assert before.steps == (stop if stop % 4 == 0 else stop + 1)
    assert before.steps + rest.steps == 8
    assert _bytes(tmp_path / "whole") == _bytes(tmp_path / "cut")


def test_a_stopped_run_that_accumulates_gradients_continues_to_the_same_bytes(
    data: TrainingData, tmp_path: Path
) -> None:
    accumulating = recipe(batch_size=1, accumulate_grad_batches=3)
    record = train_variant(accumulating, 0, data, PROTOCOL, tmp_path / "whole", Watcher())
    assert record.training is not None
    assert (record.training.batch.per_process, record.training.batch.all_processes) == (3, 3)
    with pytest.raises(Interrupted):
        train_variant(accumulating, 0, data, PROTOCOL, tmp_path / "cut", Watcher(signal_at=3))
    rest = Watcher()
    train_variant(accumulating, 0, data, PROTOCOL, tmp_path / "cut", rest)
    assert rest.steps == 6 - 3
    assert _bytes(tmp_path / "whole") == _bytes(tmp_path / "cut")


def test_a_closed_terminal_costs_no_step(data: TrainingData, tmp_path: Path) -> None:
    train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "whole", Watcher())
    with pytest.raises(Interrupted, match="SIGHUP"):
        train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "cut", Watcher(3, signal.SIGHUP))
    rest = Watcher()
    train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "cut", rest)
    assert rest.steps == 6 - 3
    assert _bytes(tmp_path / "whole") == _bytes(tmp_path / "cut")


def test_a_crash_costs_no_finished_epoch(data: TrainingData, tmp_path: Path) -> None:
    train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "whole", Watcher())
    with pytest.raises(KeyError, match="crash"):
        train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "cut", Watcher(crash_at=6))
    rest = Watcher()
    train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "cut", rest)
    assert rest.epochs == 1
    assert _bytes(tmp_path / "whole") == _bytes(tmp_path / "cut")


def test_a_checkpoint_of_another_recipe_is_kept_and_restored_and_the_difference_reported(
    data: TrainingData, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "whole", Watcher())
    with pytest.raises(Interrupted):
        train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "run", Watcher(signal_at=4))
    other = Watcher(signal_at=6)
    with pytest.raises(Interrupted):
        train_variant(recipe(sigma=1.5, epochs=4), 0, data, PROTOCOL, tmp_path / "run", other)
    assert other.steps == 6
    (line,) = caplog.messages
    assert "run/checkpoint." in line
    assert line.endswith("recipe.training.epochs was 3, is 4; recipe.training.sigma was 2.0, is 1.5")
    again = Watcher()
    train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "run", again)
    assert again.steps == 6 - 4
    assert _bytes(tmp_path / "whole") == _bytes(tmp_path / "run")


@pytest.mark.parametrize(
    ("flipped", "steps"), [(("checkpoint.pt",), 2), (("checkpoint.pt", "checkpoint.previous.pt"), 6)]
)
def test_a_flipped_bit_is_reported_and_changes_no_byte(
    data: TrainingData, tmp_path: Path, caplog: pytest.LogCaptureFixture, flipped: tuple[str, ...], steps: int
) -> None:
    train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "whole", Watcher())
    with pytest.raises(Interrupted):
        train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "cut", Watcher(signal_at=5))
    for name in flipped:
        content = bytearray((tmp_path / "cut" / name).read_bytes())
        content[len(content) // 2] ^= 1
        (tmp_path / "cut" / name).write_bytes(content)
    rest = Watcher()
    train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "cut", rest)
    assert rest.steps == steps
    assert [message.partition(": ")[0].rpartition("/")[2] for message in caplog.messages] == list(flipped)
    assert _bytes(tmp_path / "whole") == _bytes(tmp_path / "cut")


def test_a_training_by_changed_code_names_both(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Interrupted):
        train_variant(recipe(), 0, data, PROTOCOL, tmp_path, Watcher(signal_at=3))
    before = training_code()
    for fingerprint in ("changed", "changed again"):
        # The second time nothing is left to train.
        monkeypatch.setattr("transpose.training.run.training_code", lambda now=fingerprint: now)
        record = train_variant(recipe(), 0, data, PROTOCOL, tmp_path, Watcher())
        assert record.code.fingerprint == f"{before}+changed"


def test_a_training_that_continues_with_other_threads_names_both(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with pytest.raises(Interrupted):
        train_variant(recipe(), 0, data, PROTOCOL, tmp_path, Watcher(signal_at=3))
    for given in ("1", "3"):
        # The second time nothing is left to train.
        monkeypatch.setenv("OMP_NUM_THREADS", given)
        record = train_variant(recipe(), 0, data, PROTOCOL, tmp_path, rest := Watcher())
        assert record.threads == (2, 1)
    assert rest.steps == 0
    (line,) = caplog.messages
    assert line.startswith("continuing with 1 CPU threads after 2: ")


def test_a_number_of_threads_continues_no_training_with_others(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Interrupted):
        train_variant(recipe(), 0, data, PROTOCOL, tmp_path, Watcher(signal_at=3))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    same, other = Watcher(signal_at=1), Watcher()
    with pytest.raises(Interrupted):
        train_variant(recipe(threads=1), 0, data, PROTOCOL, tmp_path, same)
    record = train_variant(recipe(threads=2), 0, data, PROTOCOL, tmp_path, other)
    assert (record.threads, same.steps, other.steps) == ((2,), 1, 6)
    (line,) = caplog.messages
    assert line.endswith("recipe.training.threads was 1, is 2")


def test_a_checkpoint_of_an_older_version_has_the_threads_of_its_recipe() -> None:
    state = {"identity": {"recipe": {"training": {"threads": 4}}}, "progress": {}}
    assert threads_of_checkpoint(state) == [4]
    assert threads_of_checkpoint(state | {"progress": {"threads": [2, 1]}}) == [2, 1]


def test_a_validation_is_broken_off_by_a_signal_and_taken_up_again(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "whole", Watcher())
    fetch, calls = finite_on_cpu, []

    def signalled(*arguments: Any) -> torch.Tensor:
        calls.append(None)
        os.kill(os.getpid(), signal.SIGTERM)
        return fetch(*arguments)

    validating = EvalProtocol(batch_size=1)
    cut = tmp_path / "cut"
    monkeypatch.setattr("transpose.pose_model.finite_on_cpu", signalled)
    with pytest.raises(Interrupted):
        train_variant(recipe(), 0, data, validating, cut, Watcher())
    assert len(calls) == 1
    monkeypatch.undo()
    rest = Watcher()
    train_variant(recipe(), 0, data, PROTOCOL, cut, rest)
    assert rest.steps == 6 - 2
    assert _bytes(tmp_path / "whole") == _bytes(cut)


def test_what_killed_writers_left_is_removed(data: TrainingData, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    for name in (".checkpoint-a1b2c3d4.pt", ".weights-zzzz_zz0.safetensors", ".run-00000000.json"):
        (tmp_path / "run" / name).write_bytes(b"half")
    train_variant(recipe(epochs=1), 0, data, PROTOCOL, tmp_path / "run", Watcher())
    assert sorted(path.name for path in (tmp_path / "run").glob(".*")) == [".finished", ".lock"]


def test_an_interrupted_run_may_go_on_with_fewer_workers(data: TrainingData, tmp_path: Path) -> None:
    train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "whole", Watcher())
    with pytest.raises(Interrupted):
        train_variant(recipe(workers=2), 0, data, PROTOCOL, tmp_path / "cut", Watcher(signal_at=3))
    rest = Watcher()
    train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "cut", rest)
    assert rest.steps == 3
    assert _bytes(tmp_path / "whole") == _bytes(tmp_path / "cut")


def test_an_interrupted_run_may_begin_to_keep_images(data: TrainingData, tmp_path: Path) -> None:
    train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "whole", Watcher())
    with pytest.raises(Interrupted):
        train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "cut", Watcher(signal_at=3))
    rest = Watcher()
    train_variant(recipe(image_cache_gb=0.001), 0, data, PROTOCOL, tmp_path / "cut", rest)
    assert rest.steps == 3
    assert _bytes(tmp_path / "whole") == _bytes(tmp_path / "cut")
    assert len(list((data.train.parent / CACHE_FOLDER).iterdir())) == 1


def test_keypoint_weights_change_the_loss_only_where_asked_for(data: TrainingData, tmp_path: Path) -> None:
    for name, asked in (("plain", False), ("weighted", True)):
        train_variant(recipe(epochs=1, joint_weights=asked), 0, data, PROTOCOL, tmp_path / name, Watcher())
    plain, weighted = (json.loads((tmp_path / name / "history.jsonl").read_text()) for name in ("plain", "weighted"))
    assert weighted["loss"] > plain["loss"]


def test_workers_do_not_change_a_byte(data: TrainingData, tmp_path: Path) -> None:
    train_variant(recipe(epochs=1), 0, data, PROTOCOL, tmp_path / "none", Watcher())
    train_variant(recipe(epochs=1, workers=2), 0, data, PROTOCOL, tmp_path / "two", Watcher())
    assert (tmp_path / "none" / "last.safetensors").read_bytes() == (tmp_path / "two" / "last.safetensors").read_bytes()


def test_a_second_trainer_is_kept_out(data: TrainingData, tmp_path: Path) -> None:
    with folder_lock(tmp_path / "run"), pytest.raises(InputError, match=f"process {os.getpid()} on "):
        train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "run", Watcher())


def test_a_diverged_loss_names_the_persons_and_leaves_no_outputs(data: TrainingData, tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="annotation ids"):
        train_variant(
            recipe(schedule=OneCycleSchedule(kind="one_cycle", peak=1e30, warmup=0)),
            0,
            data,
            PROTOCOL,
            tmp_path / "run",
            Watcher(),
        )
    assert not any((tmp_path / "run" / name).exists() for name in OUTPUTS)


def test_weights_that_diverge_in_the_last_step_are_one_line_that_names_the_run(
    data: TrainingData, tmp_path: Path
) -> None:
    training = {"epochs": 1, "batch_size": 8, "schedule": OneCycleSchedule(kind="one_cycle", peak=1e30, warmup=0)}
    with pytest.raises(InputError, match="run: the model's heatmaps are not finite; training has diverged"):
        train_variant(recipe(**training), 0, data, PROTOCOL, tmp_path / "run", Watcher())
    assert not any((tmp_path / "run" / name).exists() for name in OUTPUTS)


@pytest.mark.parametrize("missing", ["train", "validation"])
def test_missing_annotations_are_reported(data: TrainingData, tmp_path: Path, missing: str) -> None:
    without = replace(data, **{missing: tmp_path / "nowhere.json"})
    with pytest.raises(InputError, match=r"nowhere\.json: no such file"):
        train_variant(recipe(), 0, without, PROTOCOL, tmp_path / "run", Watcher())


def test_linear_scaling_multiplies_every_rate(data: TrainingData, tmp_path: Path) -> None:
    for name, asked in (("as_stated", False), ("scaled", True)):
        train_variant(recipe(batch_size=4, linear_scaling=asked), 0, data, PROTOCOL, tmp_path / name, Watcher())
    stated, scaled = (
        [json.loads(line)["learning_rate"] for line in (tmp_path / name / "history.jsonl").read_text().splitlines()]
        for name in ("as_stated", "scaled")
    )
    assert scaled == pytest.approx([rate * 4 / 20 for rate in stated])
    assert json.loads((tmp_path / "scaled" / "run.json").read_text())["training"]["learning_rate"]["factor"] == 0.2


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ("training.step.heatmap_loss", "training.batch_size: 2"),
        ("inference.runtime.normalise", "protocol.batch_size: 4"),
    ],
)
def test_a_full_gpu_memory_names_the_batch_size_to_lower(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, key: str
) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate ...")

    monkeypatch.setattr(f"transpose.{place}", fail)
    with pytest.raises(InputError, match=f"^{key}: the GPU's memory is full .*; lower"):
        train_variant(recipe(), 0, data, PROTOCOL, tmp_path / "run", Watcher())


def test_a_recipe_for_more_processes_is_not_trained_in_one(data: TrainingData, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 processes cannot train a recipe for 2"):
        train_variant(recipe(gpus=2), 0, data, PROTOCOL, tmp_path / "run", Watcher())


def test_bf16_trains_to_finite_weights(data: TrainingData, tmp_path: Path) -> None:
    record = train_variant(recipe(epochs=1, dtype="bf16"), 0, data, PROTOCOL, tmp_path / "run", Watcher())
    assert record.recipe.training.dtype == "bf16"
    model = build_model(small_variant("resnet"), len(COCO_PERSON))
    load_weights(model, tmp_path / "run" / "last.safetensors")
    assert all(torch.isfinite(tensor).all() for tensor in model.state_dict().values())


def _bytes(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in OUTPUTS]
