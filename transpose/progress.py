"""Print the progress of a training, and read it again from its log."""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TextIO

SECONDS_BETWEEN_LINES = 10.0

_STEP = re.compile(r"epoch (\d+)/(\d+) step \d+/\d+ loss (\S+) ETA (\d+):(\d\d):(\d\d)")
_EPOCH = re.compile(r"epoch (\d+)/(\d+) done: loss ([^,\s]+), (?:validation (\w+) (\S+)|not validated)")


@dataclass(frozen=True)
class TrainingState:
    """The progress of a training by the lines of its log so far."""

    epoch: int
    """From 1 on."""
    epochs: int
    loss: str
    accuracy: str | None = None
    """Metric and value of the last validation, such as `AP 0.396`."""
    seconds_left: float | None = None
    """Estimated when the line was printed; None in the line of a finished epoch."""


def read_line(line: str, before: TrainingState | None) -> TrainingState | None:
    """Return the state of a training after a line of its log; lines of other kinds change nothing.

    Args:
        before: the state before the line; None at the start of the log.
    """
    if match := _STEP.search(line):
        epoch, epochs, loss, hours, minutes, seconds = match.groups()
        left = 3600.0 * int(hours) + 60 * int(minutes) + int(seconds)
        accuracy = before.accuracy if before else None
        return TrainingState(int(epoch), int(epochs), loss, accuracy, left)
    if match := _EPOCH.search(line):
        epoch, epochs, loss, metric, value = match.groups()
        state = before or TrainingState(int(epoch), int(epochs), loss)
        accuracy = state.accuracy if metric is None else f"{metric} {value}"
        return replace(state, epoch=int(epoch), epochs=int(epochs), loss=loss, accuracy=accuracy, seconds_left=None)
    return before


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
        self._print(f"epoch {epoch + 1}/{self._epochs} step {step}/{steps} loss {loss:.6f} ETA {clock(left)}")

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


def clock(seconds: float) -> str:
    """Format seconds as hours, minutes and seconds: 0:01:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
