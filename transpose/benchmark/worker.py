"""Work done at command in a process of its own, with an allocator, kernels and a peak of memory of its own."""

import multiprocessing
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import torch

from transpose.allocator import keep_freed_memory
from transpose.errors import InputError

Work = Callable[[], object]


class Worker:
    """A process that waits to be told to do its work; idle, it costs nothing.

    What is set for a whole process, such as the allocator, can so be compared in one interleaved run.
    """

    def __init__(self, prepare: Callable[[], Work], keeps_memory: bool = True) -> None:
        """Start the process and wait until it is prepared.

        Args:
            prepare: makes the work, in the process; can be pickled.
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

    def run(self) -> None:
        """Do the work once and return at its end.

        Raises:
            InputError: the process died, for want of memory as a rule.
        """
        self._answer("run")

    def peak_memory_bytes(self) -> int:
        """The most that the process has held so far: allocated on CUDA, elsewhere its whole resident memory."""
        return self._answer("memory")

    def _answer(self, command: str | None = None) -> Any:
        """What the process sends next, after a command if there is one."""
        try:
            if command is not None:
                self._connection.send(command)
            return self._connection.recv()
        except (EOFError, ConnectionError):
            self._process.join()
            problem = f"its process ended with status {self._process.exitcode}; is there memory for the batch?"
            raise InputError("benchmark", None, None, problem) from None

    def __enter__(self) -> "Worker":
        """Itself."""
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
            work()
            connection.send("done")
        else:
            connection.send(_peak_memory_bytes())


def _peak_memory_bytes() -> int:
    if torch.cuda.is_initialized():
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.is_file():
        # Linux hands the maximum that `getrusage` tells on to a child: it may be that of the process that started it.
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
