"""The MLflow logging process of a training: reads messages of `LiveLogger` from standard input."""

import json
import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transpose.errors import InputError
from transpose.study.destination import TrackingDestination
from transpose.study.layout import ResultsLayout, RunId
from transpose.tracking.connection import tracking_errors
from transpose.tracking.experiment import Experiment, epoch_point, exclusive_run_lock
from transpose.tracking.machine_load import MachineLoad
from transpose.tracking.record import epoch_metrics, flat_params, is_locked

if TYPE_CHECKING:
    from mlflow.entities import Run


class RunLogger:
    """Logs one running training to MLflow. Failures are warned about once and retried with the next message."""

    def __init__(
        self, results: str, destination: dict[str, Any], variant: str, seed: int, recipe: dict[str, Any]
    ) -> None:
        self._layout, self._destination = ResultsLayout(Path(results)), TrackingDestination(**destination)
        self._run, self._seed, self._params = RunId(variant, seed), seed, flat_params(recipe)
        self._pending: list[dict[str, Any]] = []
        self._opened: tuple[Experiment, Run, set[int]] | None = None
        self._load = MachineLoad()
        self._warned = False

    def epoch(self, record: dict[str, Any]) -> None:
        """Log a line of the history."""
        self._pending.append(record)
        self.advance("RUNNING")

    def end(self, status: str) -> None:
        """Log pending records and set the final status, unless another process has locked the run folder.

        In that case this training was refused because another one is running.
        """
        locked = is_locked(self._layout.train(self._run).folder)
        self.advance("RUNNING" if locked else status)
        self._load.stop()

    def advance(self, status: str) -> None:
        """Log pending records, set the run's status, and log the machine's load while it runs."""
        try:
            with tracking_errors(self._destination.uri(self._layout.root)):
                self._opened = self._opened or self._open()
                self._log_pending(*self._opened)
                experiment, run, _ = self._opened
                experiment.set_status(run, status)
                if status == "RUNNING":
                    self._load.watch(experiment.client.tracking_uri, run.info.run_id)
        except InputError as error:
            if not self._warned:
                self._warned = True
                logging.getLogger(__name__).warning("%s; training continues, `transpose track` will catch up", error)

    def _open(self) -> "tuple[Experiment, Run, set[int]]":
        """Return the experiment, the run, and the epochs that were logged before an interruption."""
        experiment = Experiment.open(self._destination, self._layout.root)
        with exclusive_run_lock(self._layout, self._run):
            run = experiment.training_run(self._run.variant, self._seed, self._params, None)
        experiment.add_params(run, self._params)
        points = experiment.client.get_metric_history(run.info.run_id, "training/loss")
        return experiment, run, {point.step for point in points}

    def _log_pending(self, experiment: Experiment, run: "Run", logged: set[int]) -> None:
        new = [record for record in self._pending if record["epoch"] not in logged]
        numbers = ((record["epoch"], *number) for record in new for number in epoch_metrics(record).items())
        experiment.add_metrics(run, [epoch_point(run, name, value, epoch) for epoch, name, value in numbers])
        logged.update(record["epoch"] for record in new)
        self._pending.clear()


def follow(lines: Iterable[str]) -> None:
    """Process the messages: the description of the run, then epochs, then the final status.

    Without a final status, the training process was killed.
    """
    logger, status = None, "KILLED"
    for line in lines:
        if not line.endswith("\n"):
            break
        message = json.loads(line)
        if logger is None:
            logger = RunLogger(**message)
            logger.advance("RUNNING")
        elif "epoch" in message:
            logger.epoch(message["epoch"])
        else:
            status = message["status"]
            break
    if logger is not None:
        logger.end(status)


if __name__ == "__main__":
    follow(sys.stdin)
