"""A training in several processes as a user meets it: the same files, interruptions and resumption."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.training.processes import in_processes, results_of
from tests.training.test_run import OUTPUTS, PROTOCOL, Watcher, recipe
from transpose.config.run_record import BatchSizes, RunRecord
from transpose.errors import InputError
from transpose.skeleton import COCO_PERSON
from transpose.training.data import TrainingData
from transpose.training.distributed import LostProcessError, ProcessGroup
from transpose.training.interruption import Interrupted
from transpose.training.loop import DivergedError
from transpose.training.run import train_variant

pytestmark = pytest.mark.slow


def train(
    group: ProcessGroup, folder: Path, dataset: Path, watcher: Watcher, settings: dict[str, Any] | None = None
) -> tuple[RunRecord, Watcher]:
    """One training of three epochs; two steps each with two processes, two (of 3 and 1 persons) with three."""
    annotations = dataset / "annotations.json"
    chosen = recipe(batch_size=1, gpus=group.size, **(settings or {}))
    return train_variant(
        chosen, 0, TrainingData(annotations, annotations, COCO_PERSON), PROTOCOL, folder, watcher, group
    ), watcher


def outputs(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in OUTPUTS]


@pytest.mark.parametrize(("processes", "stop"), [(2, 1), (2, 4), (3, 3), (2, 6)])
def test_an_interrupted_training_continues_to_the_same_bytes(
    tiny_dataset: Path, tmp_path: Path, processes: int, stop: int
) -> None:
    results_of(processes, train, tmp_path / "whole", tiny_dataset, Watcher())
    stopped = in_processes(processes, train, tmp_path / "cut", tiny_dataset, Watcher(signal_at=stop))
    for future in stopped:
        with pytest.raises(Interrupted, match="SIGTERM"):
            future.result()
    assert not (tmp_path / "cut" / "run.json").exists()
    watchers = [watcher for _, watcher in results_of(processes, train, tmp_path / "cut", tiny_dataset, Watcher())]
    # Only the main process calls the observer.
    assert [watcher.steps for watcher in watchers] == [6 - stop] + [0] * (processes - 1)
    assert outputs(tmp_path / "whole") == outputs(tmp_path / "cut")


def test_a_crash_of_one_process_costs_no_finished_epoch(tiny_dataset: Path, tmp_path: Path) -> None:
    results_of(2, train, tmp_path / "whole", tiny_dataset, Watcher())
    crashed, left = in_processes(2, train, tmp_path / "cut", tiny_dataset, Watcher(crash_at=5))
    assert isinstance(crashed.exception(), KeyError)
    assert isinstance(left.exception(), LostProcessError)
    leader, _ = results_of(2, train, tmp_path / "cut", tiny_dataset, Watcher())
    assert leader[1].epochs == 1
    assert outputs(tmp_path / "whole") == outputs(tmp_path / "cut")


class Signaller(Watcher):
    """Stops another process than the leader after the first step."""

    def __init__(self, process: int) -> None:
        super().__init__()
        self.process = process

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        if self.steps == 0:
            os.kill(self.process, signal.SIGTERM)
        super().step(epoch, step, steps, loss)


def train_and_stop_the_last(group: ProcessGroup, folder: Path, dataset: Path) -> None:
    train(group, folder, dataset, Signaller(group.gather(os.getpid())[-1]))


def test_a_signal_to_one_process_stops_all(tiny_dataset: Path, tmp_path: Path) -> None:
    stopped = in_processes(2, train_and_stop_the_last, tmp_path / "run", tiny_dataset)
    assert [type(future.exception()) for future in stopped] == [Interrupted] * 2
    assert (tmp_path / "run" / "checkpoint.pt").is_file()


def test_workers_load_for_each_process(tiny_dataset: Path, tmp_path: Path) -> None:
    results_of(2, train, tmp_path / "none", tiny_dataset, Watcher(), {"epochs": 1})
    results_of(2, train, tmp_path / "one", tiny_dataset, Watcher(), {"epochs": 1, "workers": 1})
    assert outputs(tmp_path / "none") == outputs(tmp_path / "one")


def test_the_record_states_batch_and_learning_rate_as_run(tiny_dataset: Path, tmp_path: Path) -> None:
    settings = {"epochs": 1, "linear_scaling": True}
    (record, _), (other, _) = results_of(2, train, tmp_path / "run", tiny_dataset, Watcher(), settings)
    assert record.training is not None
    assert record.training == other.training
    assert record.training.batch == BatchSizes(processes=2, per_process=1, all_processes=2)
    # The recipe's peak of 1e-3 is for 20 persons a step.
    assert vars(record.training.learning_rate) == {"factor": 0.1, "highest": pytest.approx(1e-4)}


def test_an_unreadable_image_in_one_share_is_everybodys_error(tiny_dataset: Path, tmp_path: Path) -> None:
    # In every epoch one of the processes meets it first.
    (tiny_dataset / "images" / "000000000013.jpg").write_bytes(b"broken")
    errors = [f.exception() for f in in_processes(2, train, tmp_path / "run", tiny_dataset, Watcher())]
    assert all(isinstance(error, InputError) and "000000000013.jpg" in str(error) for error in errors)


def test_a_diverged_loss_names_the_persons_of_all_processes(tiny_dataset: Path, tmp_path: Path) -> None:
    settings = {"schedule": {"kind": "one_cycle", "peak": 1e30, "warmup": 0}}
    errors = [f.exception() for f in in_processes(2, train, tmp_path / "run", tiny_dataset, Watcher(), settings)]
    assert [type(error) for error in errors] == [DivergedError] * 2
    assert str(errors[0]) == str(errors[1])
    assert str(errors[0]).count(", ") == 1
