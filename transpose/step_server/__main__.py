"""Serve steps: `python -m transpose.step_server SOCKET FOLDER`, by `start_server`."""

import atexit
import gc
import os
import shutil
import socket
import sys
from pathlib import Path

from transpose.job_usage import usage_of_this_process
from transpose.step_server.messages import Surroundings
from transpose.step_server.server import StepServer

_THREADS = Path("/proc/self/task")


class _Teardown:
    """The end of the interpreter, which frees the objects of all modules.

    In a copy of the server that writes to memory which it has shared until then, and takes 0.3 s of processor time.
    """

    def __init__(self) -> None:
        """Register for the last place of all functions that are called at exit: they are called in reverse order."""
        self.is_needed = True
        atexit.register(self._skip)

    def _skip(self) -> None:
        if not self.is_needed:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)


def serve(handle: int, folder: Path, teardown: _Teardown) -> None:
    """Serve steps until the process at the other end of stdin ends; in each copy, run a step instead.

    Args:
        handle: listening socket.
        folder: folder of the socket's file, removed at the end.
        teardown: skipped after a step that has ended well.
    """
    surroundings = Surroundings.of_this_process()
    # Read by Arrow, which pandas imports: its allocator would start a thread, which copies would lack.
    os.environ["JE_ARROW_MALLOC_CONF"] = "background_thread:false"
    import transpose.step_server.libraries  # noqa: F401
    from transpose.cli import main

    listener = socket.socket(fileno=handle)
    if len(list(_THREADS.iterdir())) > 1:
        sys.exit("A library has started a thread, which copies would lack, so steps run in processes of their own.")
    server = StepServer(listener, sys.stdin.fileno(), surroundings)
    if server.serve() is not None:
        try:
            main()
        except SystemExit as end:
            # An open database is closed by it, if it reaches the objects of modules that the server has imported.
            teardown.is_needed = bool(end.code) or "sqlalchemy" in sys.modules
            gc.unfreeze()
            raise
        return
    sys.stderr.write(f"ran {server.started} steps\n{usage_of_this_process(with_children=False)}\n")
    shutil.rmtree(folder, ignore_errors=True)


serve(int(sys.argv[1]), Path(sys.argv[2]), _Teardown())
