"""Where the processes of a training are, as torchrun and Slurm say."""

from pathlib import Path

import pytest

from transpose.errors import InputError
from transpose.training.placement import Placement, first_node, replace_by_srun

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "none",
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "node1",
    "MASTER_PORT": "29400",
}
SRUN = {
    "SLURM_PROCID": "3",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_LOCALID": "1",
    "SLURM_JOB_ID": "123456",
    "SLURM_STEP_ID": "0",
    "SLURM_STEP_NODELIST": "gpu[03-04]",
}
ONE_TASK = SRUN | {"SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"}


def test_a_process_alone_has_no_others() -> None:
    assert Placement.of_environment({}) is None
    # A batch script, and the one task in which Snakemake runs a job.
    assert Placement.of_environment({"SLURM_JOB_ID": "1", "SLURM_NTASKS": "4", "SLURM_PROCID": "0"}) is None
    assert Placement.of_environment(ONE_TASK) is None


def test_torchrun_and_srun_say_rank_place_and_where_to_meet() -> None:
    assert Placement.of_environment(TORCHRUN) == Placement(3, 4, 1, "node1", 29400)
    assert Placement.of_environment(SRUN) == Placement(3, 4, 1, "gpu03", 20000 + 123456 % 12000)
    # A launcher within the one task of a job.
    assert Placement.of_environment(ONE_TASK | TORCHRUN) == Placement(3, 4, 1, "node1", 29400)


@pytest.mark.parametrize(
    ("nodes", "first"),
    [
        ("node1", "node1"),
        ("node1,node2", "node1"),
        ("gpu[003-005,007],login1", "gpu003"),
        ("gpu[7,9]", "gpu7"),
        ("rack[1-2]-node[04-05].cluster", "rack1-node04.cluster"),
    ],
)
def test_the_first_node_of_a_list(nodes: str, first: str) -> None:
    assert first_node(nodes) == first


def test_srun_starts_the_same_command_in_each_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr("os.execvp", lambda _, command: started.append(command))
    replace_by_srun(["python", "-m", "transpose", "step"], 4, 3)
    assert started == [
        ["srun", "--ntasks=4", "--cpus-per-task=3", "--kill-on-bad-exit=1", "python", "-m", "transpose", "step"]
    ]
    monkeypatch.undo()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="srun: not found; is this a job of Slurm"):
        replace_by_srun(["python"], 4, 3)
