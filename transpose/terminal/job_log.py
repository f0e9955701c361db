"""Follow the log file of a running job."""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from transpose.progress import TrainingState, clock, read_line

LAST_LINES = 15
"""Lines of a failed job's log that the terminal shows."""
_MOST_BYTES = 1 << 20
_CLOCK_SECONDS = 1.0
"""A disk's clock may be behind by as much."""

_BAR = re.compile(r"(\d+)%\|.*?\[[\d:]+<([\d:]+)")
"""A progress bar of tqdm with its estimate of the time left."""


class JobLog:
    """Reads what a job adds to its log file, and keeps the state that the lines describe."""

    def __init__(self, path: Path | None, begin: float) -> None:
        """Start at the beginning of the file, which the job may not have created yet.

        Args:
            begin: time at which the job started, in seconds since 1970; an older file is of the last run of the job.
        """
        self._path = path
        self._position = 0
        self._begin = begin
        self._training: TrainingState | None = None
        self._percent: str | None = None
        self._end: float | None = None

    def read(self, now: float) -> None:
        """Read the lines that were added since the last call; a file that cannot be read changes nothing.

        Args:
            now: time in seconds, by any clock that all calls share.
        """
        if self._path is None:
            return
        with suppress(OSError), self._path.open("rb") as file:
            status = self._path.stat()
            if status.st_mtime < self._begin - _CLOCK_SECONDS:
                return
            if status.st_size < self._position:
                self._position, self._training = 0, None
            start = max(self._position, status.st_size - _MOST_BYTES)
            file.seek(start)
            added = file.read()
            complete = max(added.rfind(b"\n"), added.rfind(b"\r")) + 1
            self._position = start + complete
            for line in re.split(r"[\r\n]+", added[:complete].decode("utf-8", errors="replace")):
                self._read_line(line, now)

    def _read_line(self, line: str, now: float) -> None:
        state = read_line(line, self._training)
        if state is not self._training:
            self._training = state
            if state is not None and state.seconds_left is not None:
                self._end = now + state.seconds_left
        if match := _BAR.search(line):
            self._percent = f"{match[1]} %"
            self._end = now + _seconds_of(match[2])

    def seconds_left(self, now: float) -> float | None:
        """Return the time that the job itself estimated, less the time since then; None without an estimate."""
        return None if self._end is None else max(self._end - now, 0.0)

    @property
    def result(self) -> str | None:
        """Metric and value of a training's last validation."""
        return self._training.accuracy if self._training else None

    def words(self, now: float) -> list[str]:
        """Return what the log says of the job's progress, as short texts; none if it says nothing."""
        found = [self._percent] if self._percent else []
        if (state := self._training) is not None:
            found = [f"epoch {state.epoch}/{state.epochs}", f"loss {state.loss}"]
            found += [state.accuracy] if state.accuracy else []
        left = self.seconds_left(now)
        return [*found, f"ETA {clock(left)}"] if found and left is not None else found


def last_lines(paths: Sequence[Path]) -> list[str]:
    """Return the last lines of a failed job's log files, each file under its name."""
    lines = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError as error:
            lines.append(f"  log: {path} ({error.strerror})")
            continue
        left_out = f", its last {LAST_LINES} of {len(text)} lines:" if len(text) > LAST_LINES else ":"
        lines += [f"  log: {path}{left_out if text else ' (empty)'}", *text[-LAST_LINES:]]
    return lines


def _seconds_of(text: str) -> float:
    """Parse minutes and seconds with optional hours, such as 02:13."""
    seconds = 0.0
    for part in text.split(":"):
        seconds = 60 * seconds + int(part or 0)
    return seconds
