"""Run a step in a copy of the server's process. Every step imports this first, so it imports little."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from transpose.step_server.messages import ACCEPTED, FORWARDED, Request, receive_status, send_request


def run_in_server(address: str, arguments: list[str]) -> None:
    """Run a step in a copy of the server's process, and end this process as the step has ended.

    Signals to this process reach the step; if this process is killed, so is the step. Returns without having done
    anything if no server answers, or if it was started in other surroundings.

    Args:
        address: path of the server's socket.
        arguments: of the command `transpose`.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address)
            send_request(connection, Request.of_this_process(arguments))
        except OSError:
            return
        is_accepted, status = False, None
        with _signals_forwarded_to(connection) as signals, suppress(ConnectionResetError):
            if is_accepted := connection.recv(1) == ACCEPTED:
                status = receive_status(connection)
    if is_accepted:
        _end_with(status)
    for number in signals:
        os.kill(os.getpid(), number)


@contextmanager
def _signals_forwarded_to(connection: socket.socket) -> Iterator[list[int]]:
    """Context manager: send the number of each signal as a byte, and yield the list of them; ignored ones stay so."""
    received: list[int] = []

    def forward(number: int, frame: FrameType | None) -> None:
        received.append(number)
        # The step may have ended.
        with suppress(OSError):
            connection.sendall(bytes([number]))

    before = {number: signal.getsignal(number) for number in FORWARDED}
    forwarded = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    for number in forwarded:
        signal.signal(number, forward)
    try:
        yield received
    finally:
        for number in forwarded:
            signal.signal(number, before[number])


def _end_with(status: int | None) -> NoReturn:
    if status is None:
        sys.exit("transpose: the step was lost, because the server of steps has ended")
    if status < 0:
        # End by the same signal. The handler of SIGKILL cannot be set.
        with suppress(OSError):
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)
