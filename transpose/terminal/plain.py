"""Lines without cursor control, for log files, pipes and terminals that cannot move the cursor."""

import time
from datetime import datetime
from typing import Protocol, TextIO

from transpose.progress import clock
from transpose.terminal.state import RunState

SECONDS_BETWEEN_LINES = 60.0


class Display(Protocol):
    """Shows a run on a stream."""

    def job(self, line: str) -> None:
        """Print a line about a job."""
        ...

    def message(self, text: str, level: str = "INFO") -> None:
        """Print a message of Snakemake, or of several lines."""
        ...

    def update(self, state: RunState, now: float) -> None:
        """Show what runs now; called every second."""
        ...

    def close(self) -> None:
        """Stop showing what runs."""
        ...


class PlainDisplay:
    """Prints a line per finished job, and one with all running jobs where no job has ended for a minute."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._latest = time.monotonic()

    def job(self, line: str) -> None:
        """Print a line about a job, after the time of day."""
        self.message(f"{datetime.now():%H:%M:%S}  {line}")

    def message(self, text: str, level: str = "INFO") -> None:
        """Print a message; the level makes no difference."""
        self._stream.write(f"{text}\n")
        self._stream.flush()
        self._latest = time.monotonic()

    def update(self, state: RunState, now: float) -> None:
        """Print the running jobs if nothing was printed for a minute."""
        if now - self._latest >= SECONDS_BETWEEN_LINES and state.running:
            jobs = "; ".join(f"{title}: {progress}" for title, progress in state.progress_of_jobs(now))
            self.job(f"{progress_of_run(state, now)}; running: {jobs}")

    def close(self) -> None:
        """Do nothing: all lines are printed."""


def progress_of_run(state: RunState, now: float) -> str:
    """Return how far a run is: its share of the estimated time, numbers of jobs, and times."""
    fraction, left = state.fraction(now), state.seconds_left(now)
    elapsed = clock(now - (now if state.begin is None else state.begin))
    jobs = f"{state.ended} of {state.total} jobs, {elapsed} elapsed"
    return jobs if fraction is None or left is None else f"{100 * fraction:.0f} %, {jobs}, {about(left)} left"


def about(seconds: float) -> str:
    """Format an estimated time in the unit that fits it."""
    for unit, length in (("s", 1.0), ("min", 60.0)):
        if seconds < 100 * length:
            return f"about {seconds / length:.0f} {unit}"
    hours = seconds / 3600
    return f"about {hours:.1f} h" if hours < 48 else f"about {hours / 24:.0f} days"
