"""What machines do to a training that takes days: full disks, killed workers, overflowing numbers, no memory."""

import gc
import json
import math
import multiprocessing
import os
import select
import signal
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch

from tests.helpers.small_disk import SmallDisk
from tests.training.processes import in_processes, results_of
from tests.training.test_run import OUTPUTS, PROTOCOL, Watcher, recipe
from tests.training.test_several_processes import train as train_in_group
from transpose.config.training import OneCycleSchedule
from transpose.device import DeviceContext
from transpose.errors import InputError, lost_worker
from transpose.memory import memory_for
from transpose.skeleton import COCO_PERSON
from transpose.training.checkpoint import CheckpointStore
from transpose.training.data import TrainingData
from transpose.training.interruption import Interrupted
from transpose.training.loop import DivergedError
from transpose.training.run import DIVERGED, train_variant

pytestmark = pytest.mark.slow


@pytest.fixture
def data(tiny_dataset: Path) -> TrainingData:
    return TrainingData(tiny_dataset / "annotations.json", tiny_dataset / "annotations.json", COCO_PERSON)


def outputs(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in OUTPUTS]


def train(data: TrainingData, folder: Path, watcher: Watcher, **training: Any) -> Watcher:
    train_variant(recipe(**training), 0, data, PROTOCOL, folder, watcher)
    return watcher


class DiskFiller(Watcher):
    """Leaves so much of the disk free after a step, or after an epoch and its checkpoint."""

    def __init__(self, disk: SmallDisk, free: int, at_step: int | None = None, at_epoch: int | None = None) -> None:
        super().__init__()
        self.disk, self.free, self.at_step, self.at_epoch = disk, free, at_step, at_epoch

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        super().step(epoch, step, steps, loss)
        if self.steps == self.at_step:
            self.disk.leave(self.free)

    def epoch(self, record: dict[str, Any]) -> None:
        super().epoch(record)
        if self.epochs == self.at_epoch:
            self.disk.leave(self.free)


# Two steps an epoch: the disk is full for the first checkpoint, for a later one, and for the outputs.
@pytest.mark.parametrize(
    ("when", "weights_that_fit", "left_to_train"),
    [
        ({"at_step": 1}, 0.0, 6),
        ({"at_step": 3}, 0.0, 4),
        ({"at_step": 3}, 0.6, 4),
        ({"at_step": 5}, 0.0, 2),
        ({"at_epoch": 3}, 0.0, 0),
        ({"at_epoch": 3}, 0.6, 0),
        ({"at_epoch": 3}, 1.6, 0),
    ],
)
def test_a_full_disk_is_one_line_and_the_training_continues_once_there_is_room(
    data: TrainingData,
    tmp_path: Path,
    small_disk: SmallDisk,
    when: dict[str, int],
    weights_that_fit: float,
    left_to_train: int,
) -> None:
    train(data, tmp_path / "whole", Watcher())
    folder = small_disk.folder / "run"
    free = int(weights_that_fit * (tmp_path / "whole" / "weights.safetensors").stat().st_size)
    with pytest.raises(InputError, match=rf"^{folder}/[a-z]\S+: cannot be written: the disk is full$"):
        train(data, folder, DiskFiller(small_disk, free, **when))
    assert {name for name in small_disk.files() if not name.startswith("run/checkpoint")} == {"run/.lock"}
    small_disk.clear()
    assert train(data, folder, Watcher()).steps == left_to_train
    assert outputs(folder) == outputs(tmp_path / "whole")


def test_a_read_only_disk_is_one_line_and_changes_nothing(data: TrainingData, small_disk: SmallDisk) -> None:
    folder = small_disk.folder / "run"
    with pytest.raises(Interrupted):
        train(data, folder, Watcher(signal_at=3))
    before = small_disk.files()
    small_disk.forbid_writing()
    with pytest.raises(InputError, match=rf"^{folder}\S*: cannot be written: the disk is read-only$"):
        train(data, folder, Watcher())
    assert small_disk.files() == before


def test_a_full_disk_is_the_error_of_all_processes(
    tiny_dataset: Path,
    tmp_path: Path,
    small_disk: SmallDisk,
) -> None:
    results_of(2, train_in_group, tmp_path / "whole", tiny_dataset, Watcher())
    folder = small_disk.folder / "run"
    filler = DiskFiller(small_disk, 0, at_step=3)
    errors = [future.exception() for future in in_processes(2, train_in_group, folder, tiny_dataset, filler)]
    assert all(isinstance(error, InputError) and "the disk is full" in str(error) for error in errors)
    small_disk.clear()
    results_of(2, train_in_group, folder, tiny_dataset, Watcher())
    assert outputs(folder) == outputs(tmp_path / "whole")


def test_outputs_from_before_stay_together_when_the_disk_is_full(
    data: TrainingData,
    small_disk: SmallDisk,
) -> None:
    folder = small_disk.folder / "run"
    train(data, folder, Watcher())
    before = outputs(folder)
    fits_the_first = (folder / "last.safetensors").stat().st_size + 8192
    last = DiskFiller(small_disk, fits_the_first, at_epoch=3)
    with pytest.raises(InputError, match="the disk is full"):
        train(data, folder, last, sigma=1.5)
    assert outputs(folder) == before
    assert json.loads((folder / "run.json").read_text())["recipe"]["training"]["sigma"] == 2.0


class Killer(Watcher):
    """Kills, after a step, the processes that load images, as a machine without memory does."""

    def __init__(self, at: int, number: int) -> None:
        super().__init__()
        self.at, self.number = at, number

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        super().step(epoch, step, steps, loss)
        if self.steps == self.at:
            for child in multiprocessing.active_children():
                os.kill(child.pid or 0, self.number)
            # The kernel reports the death at any time; a running training would be notified as well.
            select.select([], [], [], 10)


def message_of_killed_training(data: TrainingData, folder: Path, at: int, number: int) -> str:
    with pytest.raises(RuntimeError, match="DataLoader worker") as caught:
        train(data, folder, Killer(at, number), workers=1)
    return lost_worker(caught.value) or ""


@pytest.mark.parametrize(("at", "number"), [(1, signal.SIGKILL), (3, signal.SIGBUS)])
def test_a_killed_worker_is_one_line_and_the_training_continues(
    data: TrainingData,
    tmp_path: Path,
    at: int,
    number: int,
) -> None:
    train(data, tmp_path / "whole", Watcher())
    name = "Killed" if number == signal.SIGKILL else "Bus error"
    message = message_of_killed_training(data, tmp_path / "cut", at, number)
    # The loader of the killed process would otherwise report it again in the next training.
    gc.collect()
    assert message.startswith(f"a process that loads images has ended (killed by signal: {name}); run the same")
    assert "\n" not in message
    rest = train(data, tmp_path / "cut", Watcher(), workers=1)
    assert rest.steps == 6 - at + 1
    assert outputs(tmp_path / "cut") == outputs(tmp_path / "whole")


def test_an_error_that_is_no_workers_death_stays_what_it_is(data: TrainingData, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="crash"):
        train(data, tmp_path, Watcher(crash_at=1), workers=1)


OVERFLOW = OneCycleSchedule(kind="one_cycle", peak=1e39, warmup=0)
"""Its first step makes weights infinite, in fp32, from a finite loss."""


@pytest.mark.parametrize("reads_late", [False, True])
@pytest.mark.parametrize("signal_at", [1, None])
def test_weights_that_overflow_are_never_saved(
    data: TrainingData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal_at: int | None, reads_late: bool
) -> None:
    monkeypatch.setattr("transpose.device.DeviceContext.reads_losses_late", reads_late)
    with pytest.raises(DivergedError, match=r"not finite at epoch 0 step [01]"):
        train(data, tmp_path, Watcher(signal_at=signal_at), schedule=OVERFLOW, validation_interval=3)
    assert CheckpointStore(tmp_path).load() is None
    report = json.loads((tmp_path / DIVERGED).read_text())
    assert report["epoch"] == 0
    assert len(report["annotation_ids"]) == 2
    assert report["train"]["annotations"] == str(data.train)
    assert set(report["annotation_ids"]) < {101, 102, 103, 104}


def test_the_batch_of_a_diverged_training_is_kept_until_one_ends_well(
    data: TrainingData,
    tmp_path: Path,
) -> None:
    # Within an epoch: at its end the validation, which comes first, meets the heatmaps on some processors.
    with pytest.raises(Interrupted):
        train(data, tmp_path, Watcher(signal_at=1))
    before = CheckpointStore(tmp_path).load()
    assert before is not None
    spoilt = dict(before["model"])
    name = next(iter(spoilt))
    spoilt[name] = torch.full_like(spoilt[name], math.nan)
    CheckpointStore(tmp_path).save(before | {"model": spoilt})
    with pytest.raises(DivergedError) as caught:
        train(data, tmp_path, Watcher())
    report = json.loads((tmp_path / DIVERGED).read_text())
    assert (report["epoch"], report["step"]) == (0, 1)
    assert report["annotation_ids"] == caught.value.annotation_ids
    for checkpoint in tmp_path.glob("checkpoint*"):
        checkpoint.unlink()
    train(data, tmp_path, Watcher())
    assert not (tmp_path / DIVERGED).exists()


@pytest.mark.parametrize(
    "words",
    [
        "CUDA error: out of memory\nCUDA kernel errors might be asynchronously reported",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    ],
)
def test_a_gpu_whose_libraries_lack_memory_names_the_batch_size_to_lower(words: str) -> None:
    refused = pytest.raises(InputError, match=r"^training\.batch_size: 7: the GPU's memory is full .*; lower")
    with refused, memory_for("training.batch_size", 7):
        raise RuntimeError(words)


class TooLargeForTheGpu(torch.nn.Module):
    """A model that meets a GPU which another process has filled."""

    def to(self, *_: object, **__: object) -> NoReturn:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


def test_a_gpu_that_is_full_before_the_first_batch_is_reported() -> None:
    words = r"^device: cuda:0: the GPU's memory is full before the first batch; is another process using it\?$"
    with pytest.raises(InputError, match=words):
        DeviceContext(torch.device("cuda:0"), "fp32", 1).to_device(TooLargeForTheGpu())


def test_a_full_memory_of_the_machine_names_the_batch_size_to_lower() -> None:
    refused = pytest.raises(InputError, match=r"^training\.batch_size: 7: the machine's memory is full .*; lower")
    with refused, memory_for("training.batch_size", 7):
        torch.empty(2**50)
    with pytest.raises(RuntimeError, match="shape"), memory_for("training.batch_size", 7):
        torch.empty(2).view(3)
