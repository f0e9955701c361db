"""The processes of a training as torchrun or Slurm's srun started them, on one machine or several."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

from torch.distributed import Store  # pyright: ignore[reportPrivateImportUsage]
from torch.distributed.rendezvous import rendezvous

from transpose.errors import InputError

_FIRST_PORT, _PORTS = 20_000, 12_000
"""Ports for the store of a step of Slurm, below those that Linux gives to connections."""


@dataclass(frozen=True)
class Placement:
    """One of several processes that were started together."""

    rank: int
    size: int
    local_rank: int
    """Rank among the processes of this machine."""
    address: str
    """Machine with the store, through which the processes find each other."""
    port: int

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> "Placement | None":
        """Read the environment of torchrun, or else of srun; None in a process that was started alone."""
        if "TORCHELASTIC_RUN_ID" in environment:
            rank, size, local_rank = (int(environment[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
            return cls(rank, size, local_rank, environment["MASTER_ADDR"], int(environment["MASTER_PORT"]))
        # The number of tasks of a step, which a batch script does not have. One task starts the processes itself.
        if int(environment.get("SLURM_STEP_NUM_TASKS", "1")) == 1:
            return None
        names = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")
        rank, size, local_rank = (int(environment[name]) for name in names)
        step = int(environment["SLURM_JOB_ID"]) + int(environment["SLURM_STEP_ID"])
        node = first_node(environment["SLURM_STEP_NODELIST"])
        return cls(rank, size, local_rank, node, _FIRST_PORT + step % _PORTS)

    def store(self, time_limit: timedelta) -> Store:
        """Connect to the store: torchrun's, or one that the process of rank 0 serves.

        Raises:
            RuntimeError: not all processes have connected within the time limit.
        """
        url = f"tcp://{self.address}:{self.port}"
        return next(rendezvous(url, self.rank, self.size, timeout=time_limit))[0]


def first_node(nodes: str) -> str:
    """Return the first node of a list as Slurm writes it, such as `gpu[003-005,9],login`; rank 0 runs there."""
    match = re.match(r"(?:[^,\[]|\[[^\]]*\])+", nodes)
    return re.sub(r"\[(\w+)[^\]]*\]", r"\1", match[0] if match else nodes)


def srun_command(command: Sequence[str], tasks: int, processors: int) -> list[str]:
    """Return the command that runs another one in each task of a step of this job of Slurm."""
    return [
        "srun",
        f"--ntasks={tasks}",
        f"--cpus-per-task={processors}",
        # Without a process, the others cannot continue.
        "--kill-on-bad-exit=1",
        *command,
    ]


def replace_by_srun(command: Sequence[str], tasks: int, processors: int) -> NoReturn:
    """Replace this process by srun, which passes on signals, and ends with the highest exit status of a task.

    Raises:
        InputError: there is no srun.
    """
    try:
        os.execvp("srun", srun_command(command, tasks, processors))
    except FileNotFoundError:
        raise InputError("not found; is this a job of Slurm?", file="srun") from None
