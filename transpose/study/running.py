"""Snakemake processes that are running in a folder.

Snakemake's own lock names no process, and advises to remove it. A note of each run is locked as long as its process
lives, however it ends.
"""

import atexit
import fcntl
import os
import platform
from datetime import datetime
from pathlib import Path
from typing import TextIO

_SUFFIX = ".run"


def note_this_run(folder: Path) -> None:
    """Write a note of this process into `folder`, and lock it until the process ends."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{os.getpid()}{_SUFFIX}"
    note = path.open("w")
    fcntl.flock(note, fcntl.LOCK_EX)
    note.write(f"process {os.getpid()} on {platform.node()}, since {datetime.now():%Y-%m-%d %H:%M}")
    note.flush()
    # A forked child would keep the lock as long as it lives.
    os.register_at_fork(after_in_child=note.close)
    atexit.register(_remove, note, path)


def other_runs(folder: Path) -> list[str]:
    """Return the notes of other living processes, and remove those of processes that were killed."""
    found = []
    for path in sorted(folder.glob(f"*{_SUFFIX}")):
        if path.stem == str(os.getpid()):
            continue
        try:
            with path.open() as note:
                fcntl.flock(note, fcntl.LOCK_SH | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except BlockingIOError:
            found.append(path.read_text())
        except FileNotFoundError:
            continue
    return found


def warning_of(runs: list[str]) -> str:
    """Return the text about other runs for those who start one or want to remove Snakemake's lock."""
    return (
        f"Snakemake is already running in this folder ({'; '.join(runs)}). Two runs that make the same files exclude"
        " each other (LockException): wait for that one, or stop it with Ctrl-C or `kill -INT`. Do not use --unlock."
    )


def _remove(note: TextIO, path: Path) -> None:
    path.unlink(missing_ok=True)
    note.close()
