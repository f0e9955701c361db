"""Serve steps: `python -m transpose.step_server SOCKET FOLDER`, by `start_server`."""

import shutil
import socket
import sys
from pathlib import Path

from transpose.job_usage import usage_of_this_process
from transpose.step_server.messages import Surroundings
from transpose.step_server.server import StepServer

_THREADS = Path("/proc/self/task")


def serve(handle: int, folder: Path) -> None:
    """Serve steps until the process at the other end of stdin ends; in each copy, run a step instead.

    Args:
        handle: listening socket.
        folder: folder of the socket's file, removed at the end.
    """
    surroundings = Surroundings.of_this_process()
    import transpose.step_server.libraries  # noqa: F401
    from transpose.cli import main

    listener = socket.socket(fileno=handle)
    if len(list(_THREADS.iterdir())) > 1:
        sys.exit("A library has started a thread, which copies would lack, so steps run in processes of their own.")
    server = StepServer(listener, sys.stdin.fileno(), surroundings)
    if server.serve() is not None:
        main()
        return
    sys.stderr.write(f"ran {server.started} steps\n{usage_of_this_process(with_children=False)}\n")
    shutil.rmtree(folder, ignore_errors=True)


serve(int(sys.argv[1]), Path(sys.argv[2]))
