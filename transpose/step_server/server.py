"""Fork a copy of this process for each step, and report its status to the step's caller."""

import ctypes
import gc
import io
import os
import selectors
import signal
import socket
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass

from transpose.step_server.messages import (
    ACCEPTED,
    FORWARDED,
    REFUSED,
    STANDARD_STREAMS,
    Request,
    Surroundings,
    receive_request,
    send_status,
)

_PR_SET_PDEATHSIG = 1
"""Of prctl(2): the signal that a process gets when its parent ends."""


@dataclass(frozen=True)
class _Step:
    """A running step."""

    caller: socket.socket
    process: int
    """Number of the process, which leads a process group of its own."""
    ending: int
    """Handle that is ready to read when the process has ended."""


class StepServer:
    """Runs steps in copies of this process until the process that has started it ends."""

    def __init__(self, listener: socket.socket, lifeline: int, surroundings: Surroundings) -> None:
        """Create a server.

        Args:
            listener: listening socket.
            lifeline: handle that comes to its end when the process that has started the server ends.
            surroundings: of this process before it imported libraries, which may change the environment.
        """
        self._listener = listener
        self._lifeline = lifeline
        self._surroundings = surroundings
        self.started = 0
        """Number of steps so far."""
        self._steps: dict[int, _Step] = {}
        """Running steps, by both of their handles."""
        self._selector = selectors.DefaultSelector()
        for handle in (listener.fileno(), lifeline):
            self._selector.register(handle, selectors.EVENT_READ)

    def serve(self) -> Request | None:
        """Return the request of a step in each copy; None in this process at its end, when running steps are killed."""
        # Copies share the memory of objects that the garbage collector leaves alone.
        gc.collect()
        gc.freeze()
        while True:
            for key, _ in self._selector.select():
                if key.fd == self._lifeline:
                    self._kill_all()
                    return None
                if key.fd == self._listener.fileno():
                    if (request := self._accept()) is not None:
                        return request
                # Both handles of a step may be ready, and the first one closes them.
                elif (step := self._steps.get(key.fd)) is not None:
                    self._follow(step, has_ended=key.fd == step.ending)

    def _accept(self) -> Request | None:
        """Start the step of a new caller. Return its request in the copy that runs it, and None here."""
        caller, _ = self._listener.accept()
        request, streams = receive_request(caller)
        try:
            if request is None or request.surroundings != self._surroundings:
                with caller, suppress(OSError):
                    caller.sendall(REFUSED)
                return None
            # First the answer: its caller does not run the step itself if this process ends in between.
            with suppress(OSError):
                caller.sendall(ACCEPTED)
            this_process = os.getpid()
            if process := os.fork():
                self._note(caller, process)
                return None
            self._leave(caller)
            _become_step(request, streams, this_process)
            return request
        finally:
            for stream in streams:
                os.close(stream)

    def _note(self, caller: socket.socket, process: int) -> None:
        # Here and in the copy, since either may come first.
        with suppress(OSError):
            os.setpgid(process, process)
        self.started += 1
        step = _Step(caller, process, os.pidfd_open(process))
        for handle in (caller.fileno(), step.ending):
            self._steps[handle] = step
            self._selector.register(handle, selectors.EVENT_READ)

    def _follow(self, step: _Step, has_ended: bool) -> None:
        """Send a step's status when it has ended, or pass a signal on to it."""
        if has_ended:
            _, status = os.waitpid(step.process, 0)
            with suppress(OSError):
                send_status(step.caller, os.waitstatus_to_exitcode(status))
            for handle in (step.caller.fileno(), step.ending):
                if self._steps.pop(handle, None) is not None:
                    self._selector.unregister(handle)
            step.caller.close()
            os.close(step.ending)
            return
        try:
            received = step.caller.recv(1)
        except OSError:
            received = b""
        if received:
            _kill(step, received[0])
            return
        # The caller was killed.
        _kill(step, signal.SIGKILL)
        del self._steps[step.caller.fileno()]
        self._selector.unregister(step.caller)

    def _kill_all(self) -> None:
        for step in self._steps.values():
            _kill(step, signal.SIGKILL)

    def _leave(self, caller: socket.socket) -> None:
        """Close the server's handles in a copy: a caller waits until the last copy of its connection is closed."""
        self._selector.close()
        self._listener.close()
        caller.close()
        for step in set(self._steps.values()):
            step.caller.close()
            os.close(step.ending)


def _kill(step: _Step, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(step.process, number)


def _become_step(request: Request, streams: list[int], server: int) -> None:
    """Make a copy of the server a process as its caller is, apart from its process group."""
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != server:
        os._exit(1)
    for handle, stream in zip(STANDARD_STREAMS, streams, strict=True):
        os.dup2(stream, handle)
    for number in FORWARDED:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, signal.SIG_IGN if number in request.ignored_signals else usual)
    os.environ.clear()
    os.environ.update(request.environment)
    tempfile.tempdir = None  # chosen again, by this environment
    if sys.stdout.isatty() and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    sys.argv[1:] = request.arguments
