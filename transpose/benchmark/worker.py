"""Worker of a benchmark: a separate process with its own allocator, kernels and memory peak."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from transpose.allocator import keep_freed_memory
from transpose.errors import InputError
from transpose.timing import seconds_of

Work = Callable[[], object]


class Worker:
    """A process that runs its work on command and is idle otherwise.

    Settings of a whole process, such as the allocator, can thus be compared in interleaved rounds.
    """

    def __init__(self, prepare: Callable[[], Work], keeps_memory: bool = True) -> None:
        """Start the process and wait until its work is prepared.

        Args:
            prepare: returns the work; called in the process, so it must be picklable.
            keeps_memory: see `keep_freed_memory`.

        Raises:
            InputError: `prepare` raised it, or the process died.
        """
        context = multiprocessing.get_context("spawn")
        self._connection, far_end = context.Pipe()
        self._process = context.Process(target=_serve, args=(far_end, prepare, keeps_memory), daemon=True)
        self._process.start()
        far_end.close()
        if isinstance(answer := self._answer(), InputError):
            self._process.join()
            raise answer

    def run(self) -> float:
        """Run the work once, wait until it has finished, and return the processor seconds of all its threads.

        Raises:
            InputError: the process died, usually out of memory.
        """
        return self._answer("run")

    def peak_memory_bytes(self) -> int:
        """Return the peak memory of the process so far: allocated memory on CUDA, resident memory elsewhere."""
        return self._answer("memory")

    def _answer(self, command: str | None = None) -> Any:
        """Send a command, if given, and return the next answer of the process."""
        try:
            if command is not None:
                self._connection.send(command)
            return self._connection.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            problem = f"the worker ended with status {self._process.exitcode}; try a smaller batch size"
            raise InputError(problem, file="benchmark") from None

    def __enter__(self) -> "Worker":
        """Return the worker."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the process."""
        self._connection.close()
        self._process.join()


def _serve(connection: Connection, prepare: Callable[[], Work], keeps_memory: bool) -> None:
    if keeps_memory:
        keep_freed_memory()
    try:
        work = prepare()
    except InputError as error:
        connection.send(error)
        return
    connection.send("ready")
    while True:
        try:
            command = connection.recv()
        except EOFError:
            return
        if command == "run":
            connection.send(seconds_of(work, time.process_time))
        else:
            connection.send(_peak_memory_bytes())


def _peak_memory_bytes() -> int:
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.is_file():
        # On Linux a child inherits the maximum of `getrusage` from its parent.
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
