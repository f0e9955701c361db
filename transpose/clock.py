"""File times ahead of the clock: Snakemake fails a job, and deletes its outputs, if one of its inputs is from later."""

import time
from collections.abc import Iterable
from pathlib import Path

from transpose.errors import InputError

_TOLERATED_SECONDS = 60.0
"""Machines that share a disk differ by seconds, which pass while a job runs."""


def refuse_later_inputs(paths: Iterable[Path]) -> None:
    """See, before a long job, that none of its inputs is from the future.

    Raises:
        InputError: one is, because a clock was or is wrong.
    """
    now = time.time()
    for path in paths:
        if path.exists() and (ahead := path.stat().st_mtime - now) > _TOLERATED_SECONDS:
            problem = f"its time lies {_shown(ahead)} in the future: set the clock right, then `touch` the file"
            raise InputError(path, None, None, problem)


def _shown(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"
