"""SIGKILL at any moment: the same call again ends with the same bytes."""

import importlib
import os
import signal
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.training.processes import in_processes, results_of
from tests.training.test_run import OUTPUTS, PROTOCOL, Watcher, recipe
from transpose.skeleton import COCO_PERSON
from transpose.training.data import TrainingData
from transpose.training.distributed import ALONE, ProcessGroup
from transpose.training.run import train_variant

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Moment:
    """A call of a function, by its number, before which a process dies; each training has 3 epochs of 2 steps."""

    module: str
    function: str
    call: int
    rank: int = 0


MOMENTS = {
    "in the first step": Moment("transpose.training.step", "heatmap_loss", 1),
    "in a step of the second epoch": Moment("transpose.training.step", "heatmap_loss", 4),
    "in the first validation": Moment("transpose.training.validation", "PoseModel", 1),
    "in a later validation": Moment("transpose.training.validation", "PoseModel", 2),
    "after a validation": Moment("transpose.training.loop", "_copy_of_weights", 1),
    "before the first checkpoint is in its place": Moment("transpose.files", "_flush_to_disk", 1),
    "between the renames of two checkpoints": Moment("transpose.files", "_flush_to_disk", 4),
    "in the last validation": Moment("transpose.training.validation", "PoseModel", 3),
    "before the outputs": Moment("transpose.training.run", "_write_outputs", 1),
    "between the weights": Moment("transpose.training.run", "save_weights", 2),
    "before the history": Moment("transpose.training.run", "write_text", 1),
    "before the record": Moment("transpose.training.run", "write_json", 1),
}


def train(group: ProcessGroup, folder: Path, dataset: Path, moment: Moment | None) -> None:
    """One training, in whose course one process dies if a moment is given."""
    if moment is not None and moment.rank == group.rank:
        module = importlib.import_module(moment.module)
        setattr(module, moment.function, dying(getattr(module, moment.function), moment.call))
    annotations = dataset / "annotations.json"
    data = TrainingData(annotations, annotations, COCO_PERSON)
    chosen = recipe(batch_size=2 // group.size, gpus=group.size)
    train_variant(chosen, 0, data, PROTOCOL, folder, Watcher(), group)


def dying(function: Callable[..., Any], last: int) -> Callable[..., Any]:
    calls = iter(range(1, last + 1))

    def call(*arguments: Any, **options: Any) -> Any:
        if next(calls) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)

    return call


def kill(processes: int, folder: Path, dataset: Path, moment: Moment) -> None:
    """Train until the moment."""
    died = in_processes(processes, train, folder, dataset, moment)[moment.rank]
    assert isinstance(died.exception(), BrokenProcessPool)


def outputs(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in OUTPUTS]


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS.keys())
def test_a_killed_training_continues_to_the_same_bytes(tiny_dataset: Path, tmp_path: Path, moment: Moment) -> None:
    train(ALONE, tmp_path / "whole", tiny_dataset, None)
    kill(1, tmp_path / "cut", tiny_dataset, moment)
    assert not (tmp_path / "cut" / "run.json").exists()
    train(ALONE, tmp_path / "cut", tiny_dataset, None)
    assert outputs(tmp_path / "whole") == outputs(tmp_path / "cut")


def test_two_processes_killed_one_moment_after_the_other_continue_to_the_same_bytes(
    tiny_dataset: Path, tmp_path: Path
) -> None:
    results_of(2, train, tmp_path / "whole", tiny_dataset, None)
    for moment in (
        Moment("transpose.training.step", "heatmap_loss", 1, rank=1),
        Moment("transpose.files", "_flush_to_disk", 1),
        Moment("transpose.training.validation", "PoseModel", 1, rank=1),
        Moment("transpose.training.loop", "_copy_of_weights", 1),
        Moment("transpose.training.step", "heatmap_loss", 2),
        Moment("transpose.training.run", "save_weights", 2),
    ):
        kill(2, tmp_path / "cut", tiny_dataset, moment)
        assert not (tmp_path / "cut" / "run.json").exists()
    results_of(2, train, tmp_path / "cut", tiny_dataset, None)
    assert outputs(tmp_path / "whole") == outputs(tmp_path / "cut")
