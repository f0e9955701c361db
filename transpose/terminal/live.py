"""A line for each running job and a bar over the estimated time, kept at the end of a terminal's output."""

from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from transpose.terminal.plain import progress_of_run
from transpose.terminal.state import RunState

_STYLES = {"WARNING": "yellow", "ERROR": "red", "CRITICAL": "red"}
_OTHER_LINES = 4
"""Lines of the terminal that running jobs leave free."""


class LiveDisplay:
    """Draws running jobs in place; lines about finished jobs and messages scroll above."""

    def __init__(self, stream: TextIO, has_colour: bool = True) -> None:
        """Start drawing on a terminal."""
        # `highlight` would colour numbers and paths; `markup` would read brackets in messages as styles.
        self._console = Console(file=stream, no_color=not has_colour, highlight=False, markup=False, emoji=False)
        self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._live.start()
        # A killed process would leave the cursor hidden.
        self._console.show_cursor(True)

    def job(self, line: str) -> None:
        """Print a line about a job above the running ones, cut to the width of the terminal."""
        self._console.print(Text(line, no_wrap=True, overflow="ellipsis"))

    def message(self, text: str, level: str = "INFO") -> None:
        """Print a whole message above the running jobs, in the colour of its level."""
        self._console.print(Text(text, style=_STYLES.get(level, "")), soft_wrap=True)

    def update(self, state: RunState, now: float) -> None:
        """Draw the running jobs and the bar."""
        self._live.update(self._frame(state, now), refresh=True)

    def close(self) -> None:
        """Remove the running jobs and the bar."""
        self._live.stop()

    def _frame(self, state: RunState, now: float) -> RenderableType:
        jobs = state.progress_of_jobs(now)
        most = max(self._console.height - _OTHER_LINES, 1)
        lines: list[RenderableType] = [_line(title, progress) for title, progress in jobs[:most]]
        if len(jobs) > most:
            lines.append(Text(f"and {len(jobs) - most} more"))
        fraction = state.fraction(now)
        words = Text(progress_of_run(state, now), no_wrap=True, overflow="ellipsis")
        if fraction is None:
            return Group(*lines, words)
        bar = Table.grid(padding=(0, 2), expand=True)
        bar.add_column(ratio=1)
        bar.add_column(no_wrap=True)
        bar.add_row(ProgressBar(total=1.0, completed=fraction), words)
        return Group(*lines, bar)


def _line(title: str, progress: str) -> Table:
    """Return a line of its own, since in one table the longest progress would shorten all titles."""
    line = Table.grid(padding=(0, 2), expand=True)
    line.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    line.add_column(justify="right", no_wrap=True, overflow="ellipsis")
    line.add_row(Text(title), Text(progress))
    return line
