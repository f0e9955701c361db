"""A training on two nodes, which are agents of torchrun on this machine, or the tasks of a step of Slurm."""

from pathlib import Path

import pytest

from tests.conftest import Command
from tests.test_cli import train_command, write_config
from tools.several_nodes import Trial
from transpose.study.layout import RunId


@pytest.mark.slow
def test_a_training_that_lost_a_node_continues_to_the_same_bytes(
    command: Command, tiny_dataset: Path, tmp_path: Path
) -> None:
    layout = write_config(command, tiny_dataset, tmp_path, gpus=2, batch_size=1, epochs=12)
    words = [*train_command(layout, tiny_dataset / "annotations.json")[3:], "--workers", "0"]
    trial = Trial(layout.train(RunId("small", 0)), words, nodes=2, processes=1, log=tmp_path / "log")
    trial.clear()
    undisturbed = trial.finish(trial.by_srun())
    trial.clear()
    trial.kill_after_an_epoch(trial.by_torchrun())
    assert not trial.run.record.exists()
    assert (trial.run.folder / "checkpoint.pt").is_file()
    lines = [line for line in trial.log.read_text().splitlines() if line.startswith("transpose: ")]
    # An agent of torchrun may end the other process before it can print its line.
    assert len(lines) <= 1
    assert all("another process of this training has ended" in line for line in lines)
    assert trial.finish(trial.by_srun()) == undisturbed
