"""The `transpose` command: each command is a thin shell over one public function."""

import sys

from transpose.allocator import keep_freed_memory
from transpose.cli import cost, data, evaluation, own_data, predict, reporting, training  # noqa: F401 -- each registers its commands
from transpose.cli.app import app
from transpose.disk import disk_error
from transpose.errors import InputError, lost_worker, missing_extra


def main() -> None:
    """Run the command; bad input, a lost process or a failing disk ends it with one line on stderr and status 1."""
    keep_freed_memory()
    try:
        app()
    except InputError as error:
        sys.exit(f"transpose: {error}")
    except ModuleNotFoundError as error:
        if (message := missing_extra(error)) is None:
            raise
        sys.exit(f"transpose: {message}")
    except RuntimeError as error:
        if (message := lost_worker(error)) is None:
            raise
        sys.exit(f"transpose: {message}")
    except OSError as error:
        if (message := disk_error(error)) is None:
            raise
        sys.exit(f"transpose: {message}")
