"""Train one model on several nodes, all on this machine: with and without a kill, it must end with the same bytes.

python -m tools.several_nodes --folder nodes

Each node is an agent of torchrun with some processes, on the loopback address. A last training is started as Slurm's
srun would, by its environment.
"""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from transpose.config.base import read_yaml
from transpose.config.dataset import SyntheticSource
from transpose.config.load import read_record
from transpose.config.run_record import RunRecord
from transpose.errors import InputError
from transpose.files import sha256_of_file
from transpose.study.layout import RunFolder, RunId
from transpose.study.plan import Plan
from transpose.synthetic.dataset import synthesise

STUDY = Path("config/studies/fault_injection.yaml")
FIRST_PORT = 20_000
"""The port of a job of Slurm with number 0; see `transpose.training.placement`."""


@dataclass(frozen=True)
class Trial:
    """A training, by its command, and where it is started."""

    run: RunFolder
    command: Sequence[str]
    """Arguments of `python -m transpose`."""
    nodes: int
    processes: int
    """On each node."""
    log: Path

    def by_torchrun(self) -> list[subprocess.Popen[bytes]]:
        """Start an agent of torchrun for each node, which find each other by the c10d rendezvous."""
        agent = ["-m", "torch.distributed.run", f"--nnodes={self.nodes}", f"--nproc-per-node={self.processes}"]
        meeting = ["--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{_free_port()}", "--rdzv-id=several-nodes"]
        options = [*agent, *meeting, "--local-addr=127.0.0.1", "--max-restarts=0", "-m", "transpose"]
        return [self._start([*options, *self.command], {}) for _ in range(self.nodes)]

    def by_srun(self) -> list[subprocess.Popen[bytes]]:
        """Start each process with the environment that srun gives to a task."""
        size = self.nodes * self.processes
        step = {
            "SLURM_JOB_ID": str(_free_port() - FIRST_PORT),
            "SLURM_STEP_ID": "0",
            "SLURM_STEP_NUM_TASKS": str(size),
            "SLURM_STEP_NODELIST": "localhost",
        }
        tasks = ({"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank % self.processes)} for rank in range(size))
        return [self._start(["-m", "transpose", *self.command], step | task) for task in tasks]

    def finish(self, started: Sequence[subprocess.Popen[bytes]]) -> dict[str, str]:
        """Wait for a training, and return the digests of what it wrote.

        Raises:
            InputError: a process failed.
        """
        statuses = [process.wait() for process in started]
        if any(statuses):
            raise InputError("the training failed", file=self.log)
        return self.digests()

    def kill_after_an_epoch(self, started: Sequence[subprocess.Popen[bytes]]) -> None:
        """Kill a process of the last node after the first epoch, and wait until all others have ended by themselves.

        Raises:
            InputError: the training ended before.
        """
        while b"done: loss" not in self.log.read_bytes():
            with suppress(subprocess.TimeoutExpired):
                started[0].wait(timeout=0.1)
            if started[0].returncode is not None:
                raise InputError("the training ended before its first epoch", file=self.log)
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(started[-1].pid).children()[-1:]:
                process.kill()
        for process in started:
            process.wait()

    def digests(self) -> dict[str, str]:
        """Digests of the weights and the history."""
        files = (self.run.weights, self.run.last_weights, self.run.history)
        return {path.name: sha256_of_file(path) for path in files}

    def clear(self) -> None:
        """Remove the run, so that it is trained again."""
        shutil.rmtree(self.run.folder, ignore_errors=True)
        self.log.write_bytes(b"")

    def _start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
        own |= {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"} | dict(environment)
        with self.log.open("ab") as log:
            return subprocess.Popen([sys.executable, *arguments], env=own, stdout=log, stderr=log)


def main(
    folder: Annotated[Path, typer.Option(help="New folder for data, results and logs.")],
    study: Annotated[Path, typer.Option(help="A study's YAML file; its first variant is trained.")] = STUDY,
    nodes: Annotated[int, typer.Option(min=2, help="Agents of torchrun.")] = 2,
    processes: Annotated[int, typer.Option(min=1, help="Processes of each agent.")] = 2,
) -> None:
    """Train on several nodes; exit status 1 if the bytes differ."""
    try:
        trial, epochs = prepare(study, folder, nodes, processes)
        undisturbed = trial.finish(trial.by_torchrun())
        _say("undisturbed", undisturbed, trial, epochs)
        trial.clear()
        trial.kill_after_an_epoch(trial.by_torchrun())
        continued = trial.finish(trial.by_torchrun())
        _say("killed and continued", continued, trial, epochs)
        trial.clear()
        by_srun = trial.finish(trial.by_srun())
        _say("as by srun", by_srun, trial, epochs)
    except InputError as error:
        sys.exit(f"several nodes: {error}")
    is_equal = undisturbed == continued == by_srun
    print("equal" if is_equal else "DIFFERENT")
    raise typer.Exit(0 if is_equal else 1)


def prepare(study: Path, folder: Path, nodes: int, processes: int) -> tuple[Trial, int]:
    """Render the data of a study and write its records; return the trial and the training's epochs.

    Raises:
        InputError: the folder exists, or the study is wrong or not of rendered people.
    """
    if folder.exists():
        raise InputError("exists; choose a new folder", file=folder)
    plan = Plan.of_config(_one_variant(read_yaml(study), folder, nodes * processes), Path("config"), str(study))
    plan.write_records(plan.layout)
    annotations = []
    for split in (plan.study.train, plan.study.validation):
        source = plan.datasets[split.dataset].source
        if not isinstance(source, SyntheticSource):
            raise InputError("choose a study of rendered people", file=study, field="train")
        annotations.append(Path(plan.data.split_annotations(split)))
        synthesise(source, split.split, annotations[-1].parent, jobs=2)
    run = RunId(plan.study.variants[0], 0)
    files = ("--train", str(annotations[0]), "--validation", str(annotations[1]))
    command = ("step", "train", str(run), "--results", str(plan.layout.root), *files, "--workers", "0")
    trial = Trial(plan.layout.train(run), command, nodes, processes, folder / "training.log")
    trial.clear()
    return trial, plan.recipes[run.variant].training.epochs


def _one_variant(values: Any, folder: Path, processes: int) -> dict[str, Any]:
    """Return the values of a study with its first variant alone, trained in several processes."""
    training = values["training"] | {"gpus": processes, "batch_size": 2}
    places = {"results": str(folder / "results"), "resources": str(folder / "resources")}
    left_out = ("overrides", "ablations")
    kept = {key: value for key, value in values.items() if key not in left_out}
    return kept | places | {"training": training, "variants": values["variants"][:1]}


def _say(name: str, digests: Mapping[str, str], trial: Trial, epochs: int) -> None:
    record = read_record(RunRecord, trial.run.record)
    assert record.training is not None
    assert record.session is not None
    trained = record.training.persons * (epochs - record.session.resumed_at_epoch)
    hashes = ", ".join(f"{file} {digest[:16]}" for file, digest in digests.items())
    print(f"{name}: {trained / record.session.seconds:.1f} persons/s with validations; {hashes}", flush=True)


def _free_port() -> int:
    """Return a port for a server of this machine that no one uses now."""
    for port in range(FIRST_PORT + os.getpid() % 10_000, FIRST_PORT + 12_000):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return port
    raise InputError("no free port")


if __name__ == "__main__":
    typer.run(main)
