"""Start a server of steps for a local run of Snakemake."""

import atexit
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from transpose.machine import has_nvidia_gpu
from transpose.step_server.messages import ADDRESS

_LIBRARIES = ("OMP_NUM", "GOTO_NUM", "OPENBLAS_NUM", "MKL_NUM", "VECLIB_MAXIMUM", "NUMEXPR_NUM")
ONE_THREAD = {f"{library}_THREADS": "1" for library in _LIBRARIES}
"""What Snakemake sets for a job with one thread.

A job with more threads is in other surroundings than the server, and runs in its own process.
"""


def start_server(log: Path) -> None:
    """Start a server for the steps that children of this process run with one thread; it ends with this process.

    Only on Linux, and not on a machine with a GPU, for which it was not tried. Without a server, steps run in
    processes of their own.

    Args:
        log: file for the time and memory of the server itself.
    """
    if sys.platform != "linux" or has_nvidia_gpu():
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="transpose-steps-"))
    address = folder / "socket"
    with socket.socket(socket.AF_UNIX) as listener, log.open("w") as errors:
        try:
            listener.bind(str(address))
        except OSError:  # The path is too long, or its file system has no sockets.
            folder.rmdir()
            return
        # Listens before the server has imported anything, so that the first steps wait for it.
        listener.listen(128)
        handle = str(listener.fileno())
        server = subprocess.Popen(
            # Through a shell, as jobs are: it changes variables of an environment that was made in a terminal.
            ["bash", "-c", 'exec "$@"', "bash", sys.executable, "-m", "transpose.step_server", handle, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=os.environ | ONE_THREAD,
            pass_fds=[int(handle)],
            # A Ctrl-C in the terminal reaches steps through their callers.
            start_new_session=True,
        )
    os.environ[ADDRESS] = str(address)
    atexit.register(_stop, server, folder)


def _stop(server: subprocess.Popen[bytes], folder: Path) -> None:
    assert server.stdin is not None
    with suppress(OSError):
        server.stdin.close()
    server.wait()
    # The server removes it, unless it was killed.
    shutil.rmtree(folder, ignore_errors=True)
