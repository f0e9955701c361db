"""Log a running training to MLflow without risk to the training."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import transpose
from transpose.config.recipe import Recipe
from transpose.study.destination import TrackingDestination
from transpose.training.interruption import Interrupted

_PATIENCE_SECONDS = 5.0
"""Time limit for MLflow at the end of training."""
_IMPATIENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}
"""While a server is away, epochs wait in the process's memory, and each new one is another try."""


class LiveLogger:
    """Context manager that passes history records to a separate process, which logs them to MLflow.

    MLflow can therefore not stop, slow or crash the training. A failure is warned about once, and `track_run` logs
    missing records later. The run ends as FINISHED, as KILLED if training was interrupted or its process ended without
    notice, and as FAILED on any other exception. A resumed training continues the same run.
    """

    def __init__(self, results: Path, destination: TrackingDestination, recipe: Recipe, seed: int) -> None:
        """Describe the run. Enter the context outside of the lock of the run folder."""
        self._header = {
            "results": str(results.resolve()),
            "destination": asdict(destination),
            "variant": recipe.name,
            "seed": seed,
            "recipe": recipe.reproducibility_values(),
        }
        self._process: _LogProcess | None = None
        self._warned = False

    def __enter__(self) -> Self:
        try:
            self._process = _LogProcess()
        except OSError as error:
            self._warn(error)
        self._send(self._header)
        return self

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Log a line of the history. Call this after the checkpoint of the epoch is on disk."""
        self._send({"epoch": dict(record)})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        interrupted = isinstance(error, KeyboardInterrupt | SystemExit | Interrupted)
        self._send({"status": "FINISHED" if error is None else "KILLED" if interrupted else "FAILED"})
        if self._process is not None and not self._process.ends_within(_PATIENCE_SECONDS):
            self._warn(TimeoutError(f"no answer within {_PATIENCE_SECONDS:.0f} s"))

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._process is None:
            return
        try:
            self._process.send(message)
        except OSError as error:
            self._warn(error)

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            logging.getLogger(__name__).warning("not all of this training is in MLflow yet: %s", error)


class _LogProcess:
    """The process that runs `transpose.tracking.log_process`, and the pipe to it."""

    def __init__(self) -> None:
        """Start it.

        Raises:
            OSError: the process or pipe cannot be created.
        """
        package_root = str(Path(transpose.__file__).parents[1])
        search_path = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
        reading_end, self._writing_end = os.pipe()
        # Non-blocking: a log process that waits for MLflow must not make the training wait.
        os.set_blocking(self._writing_end, False)
        try:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "transpose.tracking.log_process"],
                stdin=reading_end,
                stdout=subprocess.DEVNULL,
                env=_IMPATIENT | os.environ | {"PYTHONPATH": search_path},
                # Ctrl-C at the terminal must not end it before it has logged the final status.
                start_new_session=True,
            )
        except OSError:
            os.close(self._writing_end)
            raise
        finally:
            os.close(reading_end)

    def send(self, message: Mapping[str, Any]) -> None:
        """Write one line; lines up to 4 kB (Linux) are written atomically.

        Raises:
            OSError: the process has ended or the pipe is full.
        """
        os.write(self._writing_end, json.dumps(message).encode() + b"\n")

    def ends_within(self, seconds: float) -> bool:
        """Close the pipe and wait; kill the process if it takes longer. Return whether it ended in time."""
        os.close(self._writing_end)
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
            return False
        return True
