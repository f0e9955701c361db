"""Two machines train a study while their tracking server is away; their results are merged, and the folder is moved."""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from mlflow import MlflowClient

from tools.fault_injection.checkout import Checkout
from tools.tracking_server.equality import Equality, compare_with_files
from tools.tracking_server.machine import Machine, epochs_in
from tools.tracking_server.server import PostgreSQL, TrackingServer
from transpose.config.base import read_yaml
from transpose.config.load import load_study
from transpose.errors import InputError

EXPERIMENT = "trial"
_PASSWORD = "trial-password"
_MERGED = ("train", "metrics", "predictions", "attention", "tracking")
"""Folders of the results that a user copies from one machine to the other."""
_LIMIT_SECONDS = 1800.0


@dataclass
class Trial:
    """Two machines with the same study, and the server that they log to."""

    here: Machine
    there: Machine
    server: TrackingServer
    database: PostgreSQL
    say: Callable[[str], None]
    """Called with a line after each phase."""

    def run(self, away: float) -> Equality:
        """Run all phases, and compare MLflow with the merged results.

        Args:
            away: seconds without a server.

        Raises:
            InputError: Snakemake fails.
        """
        try:
            self._train(away)
            for name in _MERGED:
                shutil.copytree(self.there.results / name, self.here.results / name, dirs_exist_ok=True)
            self.here.finish(self.here.start())
            self.say("merged: the results of both machines are one study")
            self.here = self.here.moved("moved")
            self.here.finish(self.here.start("--forcerun", "track_database"))
            added = self.here.values_added()
            self.say(f"moved: everything was logged again from another folder; {added} values were missing in MLflow")
        finally:
            self.here.kill()
            self.there.kill()
        found = compare_with_files(self.server.uri, EXPERIMENT, self.here.results)
        found.expect("values that were missing", added, 0)
        return found

    def _train(self, away: float) -> None:
        """Train one seed on each machine; the server is away in the middle of a training of each."""
        variants = load_study(self.here.checkout.folder / "config" / "config.yaml").variants
        machines = (self.here, self.there)
        pipelines = [machine.start_seed(seed, variants) for seed, machine in enumerate(machines)]
        logs = [machine.first_training(run) for machine, run in zip(machines, pipelines, strict=True)]
        self._wait_for_mlflow(logs, [1, 1])
        self.say(f"training: {self._progress(logs)}")
        begin = time.monotonic()
        self.server.stop()
        self.database.stop("immediate")
        self.say(f"killed: MLflow and PostgreSQL, at {_epochs(logs)}")
        time.sleep(away)
        self.database.start()
        self.server.start()
        reached = [epochs_in(log) for log in logs]
        self.say(f"restarted: after {time.monotonic() - begin:.0f} s, at {_epochs(logs)}")
        self._wait_for_mlflow(logs, reached)
        self.say(f"caught up: {self._progress(logs)}")
        for machine, pipeline in zip(machines, pipelines, strict=True):
            machine.finish(pipeline)
        self.say("trained: both machines have logged their trainings and evaluations")

    def _wait_for_mlflow(self, logs: Sequence[Path], epochs: Sequence[int]) -> None:
        """Wait until MLflow has this many epochs of each training.

        Raises:
            InputError: it does not have them in half an hour.
        """
        deadline = time.monotonic() + _LIMIT_SECONDS
        while any(self._logged(log) < number for log, number in zip(logs, epochs, strict=True)):
            if time.monotonic() > deadline:
                raise InputError("the epochs did not arrive in half an hour", file=self.server.uri)
            time.sleep(1)

    def _progress(self, logs: Sequence[Path]) -> str:
        logged = ", ".join(str(self._logged(log)) for log in logs)
        return f"{_epochs(logs)}; epochs in MLflow: {logged}"

    def _logged(self, log: Path) -> int:
        """Return the number of epochs of a training in MLflow; 0 without a run."""
        client = MlflowClient(self.server.uri)
        experiment = client.get_experiment_by_name(EXPERIMENT)
        runs = client.search_runs([experiment.experiment_id]) if experiment is not None else []
        named = [run for run in runs if run.info.run_name == _name(log)]
        return len(client.get_metric_history(named[0].info.run_id, "training/loss")) if named else 0


def prepare_machines(folder: Path, study: Path, epochs: int, uri: str) -> tuple[Machine, Machine]:
    """Make the folders of two machines with a study of two seeds that log to a server with a password.

    Raises:
        InputError: the study is wrong, or a folder exists.
    """
    settings = read_yaml(study) | {"seeds": 2, "tracking": {"experiment": EXPERIMENT}}
    settings["training"] |= {"epochs": epochs}
    changed = folder / "study.yaml"
    changed.write_text(yaml.safe_dump(settings))
    clone = Checkout.make(folder / "clone", changed)
    login = uri.replace("//", f"//trial:{_PASSWORD}@")
    return Machine(clone.copy(folder / "here"), login), Machine(clone.copy(folder / "there"), login)


def files_with_password(folder: Path) -> list[str]:
    """Return a line for each file in which a password was written."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [f"{path} has the password" for path in files if _PASSWORD.encode() in path.read_bytes()]


def _epochs(logs: Sequence[Path]) -> str:
    return ", ".join(f"epoch {epochs_in(log)} of {_name(log)}" for log in logs)


def _name(log: Path) -> str:
    """Return the name of a training's run in MLflow."""
    return f"{log.parent.name} {log.stem.replace('seed', 'seed ')}"
