"""A folder that stands for a machine: it trains one seed of a study, and logs to a tracking server."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tools.fault_injection.checkout import Checkout
from tools.fault_injection.pipeline import COMMAND, Pipeline, processes_in
from tools.fault_injection.targets import kill_all
from transpose.errors import InputError
from transpose.study.layout import ResultsLayout, RunId

_POLL_SECONDS = 0.2
_EPOCH_DONE = re.compile(r"^epoch (\d+)/\d+ done", re.MULTILINE)


@dataclass(frozen=True)
class Machine:
    """A checkout in which Snakemake logs to the store at `login`, an address that may contain a password."""

    checkout: Checkout
    login: str

    @property
    def results(self) -> Path:
        """Results folder."""
        return self.checkout.folder / self.checkout.results

    def start(self, *arguments: str) -> Pipeline:
        """Start Snakemake; its output is in a new file next to the folder."""
        return self._start((*COMMAND, *arguments))

    def start_seed(self, seed: int, variants: Sequence[str]) -> Pipeline:
        """Start Snakemake with the tracked trainings of one seed as its targets."""
        layout = ResultsLayout(Path(self.checkout.results))
        return self.start(*(str(layout.tracked_run(RunId(variant, seed))) for variant in variants))

    def first_training(self, pipeline: Pipeline) -> Path:
        """Wait until a training has finished an epoch, and return its log.

        Raises:
            InputError: Snakemake ends before.
        """
        while True:
            for log in self.results.glob("logs/train/*/seed*.log"):
                if epochs_in(log):
                    return log
            if pipeline.ended_within(_POLL_SECONDS):
                raise InputError(f"Snakemake ended without a training: {pipeline.message()}", file=pipeline.log)

    def finish(self, pipeline: Pipeline) -> None:
        """Wait for the end of Snakemake; if it failed, give the same command again, as a user would.

        Raises:
            InputError: it fails again.
        """
        if pipeline.status != 0:
            again = self._start(pipeline.command)
            if again.status != 0:
                raise InputError(f"Snakemake failed twice: {again.message()}", file=again.log)

    def values_added(self) -> int:
        """Number of values that the last logging of all trainings found missing in MLflow."""
        return sum(json.loads(path.read_text())["added"] for path in self.results.glob("tracking/*/seed*.json"))

    def moved(self, name: str) -> "Machine":
        """Rename the folder."""
        folder = self.checkout.folder.rename(self.checkout.folder.with_name(name))
        return replace(self, checkout=replace(self.checkout, folder=folder))

    def kill(self) -> None:
        """End all processes of this machine."""
        kill_all(processes_in(self.checkout))

    def _start(self, command: Sequence[str]) -> Pipeline:
        folder = self.checkout.folder
        number = len(list(folder.parent.glob(f"{folder.name}_*.log"))) + 1
        log = folder.with_name(f"{folder.name}_{number}.log")
        return Pipeline(self.checkout, log, command, {"MLFLOW_TRACKING_URI": self.login})


def epochs_in(log: Path) -> int:
    """Number of epochs that a training has finished, by its log."""
    return max(map(int, _EPOCH_DONE.findall(log.read_text(errors="replace"))), default=0)
