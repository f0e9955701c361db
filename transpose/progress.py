"""Print the progress of a training."""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TextIO

SECONDS_BETWEEN_LINES = 10.0


class TrainingProgress:
    """Prints a line every few seconds and at every epoch, with the estimated time left."""

    def __init__(self, epochs: int, stream: TextIO, on_epoch: Callable[[dict[str, Any]], None]) -> None:
        """Start the clock.

        Args:
            on_epoch: called with each epoch's history record, after its line was printed.
        """
        self._epochs = epochs
        self._stream = stream
        self._on_epoch = on_epoch
        self._start = self._latest = time.monotonic()
        self._done = 0

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        """Report a finished step of an epoch."""
        self._done += 1
        now = time.monotonic()
        if now - self._latest < SECONDS_BETWEEN_LINES:
            return
        self._latest = now
        left = (self._epochs * steps - epoch * steps - step) * (now - self._start) / self._done
        self._print(f"epoch {epoch + 1}/{self._epochs} step {step}/{steps} loss {loss:.6f} ETA {_clock(left)}")

    def epoch(self, record: dict[str, Any]) -> None:
        """Report a finished epoch."""
        validation = record["validation"]
        metric = "PCKh50" if validation and "PCKh50" in validation else "AP"
        shown = f"validation {metric} {validation[metric]:.3f}" if validation else "not validated"
        self._print(f"epoch {record['epoch'] + 1}/{self._epochs} done: loss {record['loss']:.6f}, {shown}")
        self._on_epoch(record)

    def _print(self, line: str) -> None:
        # A full disk or a closed terminal must not stop the training.
        with suppress(OSError):
            print(line, file=self._stream, flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
