"""The `transpose` command: each command is a thin shell over one public function."""

import sys
from contextlib import suppress
from typing import NoReturn

from transpose.allocator import keep_freed_memory
from transpose.cli import (  # noqa: F401 -- each registers its commands
    cost,
    data,
    evaluation,
    explain,
    export,
    own_data,
    predict,
    reporting,
    results_files,
    serve,
    training,
)
from transpose.cli.app import app
from transpose.disk import disk_error
from transpose.errors import InputError, lost_worker, missing_extra
from transpose.memory import full_memory


def main() -> None:
    """Run the command; bad input, full memory, a lost process or a failing disk is one line on stderr and status 1."""
    keep_freed_memory()
    try:
        app(prog_name="transpose")  # also in a copy of the server of steps
    except InputError as error:
        _end(str(error))
    except (ImportError, MemoryError, OSError, RuntimeError) as error:
        if (message := _cause_outside(error)) is None:
            raise
        _end(str(message))


def _cause_outside(error: Exception) -> object | None:
    """Return the message for an error that the machine or the installation causes; None for a bug."""
    if (message := full_memory(error)) is not None:
        return message
    if isinstance(error, ModuleNotFoundError):
        return missing_extra(error)
    if isinstance(error, RuntimeError):
        return lost_worker(error)
    return disk_error(error) if isinstance(error, OSError) else None


def _end(problem: str) -> NoReturn:
    """End with one line on stderr, or on stdout where stderr is a log on a full disk."""
    for stream in (sys.stderr, sys.stdout):
        with suppress(OSError):
            print(f"transpose: {problem}", file=stream, flush=True)
            break
    sys.exit(1)
