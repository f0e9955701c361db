"""Check for file times in the future: Snakemake fails a job and deletes its outputs if an input is newer."""

import time
from collections.abc import Iterable
from pathlib import Path

from transpose.errors import InputError

_TOLERATED_SECONDS = 60.0
"""Clocks of machines that share a disk differ by seconds, less than a job takes."""


def refuse_later_inputs(paths: Iterable[Path]) -> None:
    """Refuse inputs with a modification time in the future, before a long job starts.

    Raises:
        InputError: an input is from the future, because a clock was or is wrong.
    """
    now = time.time()
    for path in paths:
        if path.exists() and (ahead := path.stat().st_mtime - now) > _TOLERATED_SECONDS:
            problem = f"its modification time is {_shown(ahead)} in the future; fix the clock, then `touch` the file"
            raise InputError(problem, file=path)


def _shown(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
