"""The messages between a step's caller and the server of steps, over a Unix socket.

The caller sends its standard streams and a request, then a byte for each signal that it gets. The server answers with a
byte, whether it runs the step, and at the step's end with its status.
"""

import json
import os
import signal
import socket
import struct
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ADDRESS = "TRANSPOSE_STEP_SERVER"
"""Environment variable with the path of the server's socket; the rules of trainings and costs remove it."""

ACCEPTED, REFUSED = b"1", b"0"

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""Signals that a step gets through its caller."""

STANDARD_STREAMS = (0, 1, 2)

# Set by shells and Snakemake for each command; no library reads them when it is imported.
_OF_EACH_COMMAND = {ADDRESS, "PWD", "OLDPWD", "SHLVL", "_", "TMPDIR", "TMP", "TEMP", "TEMPDIR"}
_LENGTH = struct.Struct("!I")
_STATUS = struct.Struct("!i")


@dataclass(frozen=True)
class Surroundings:
    """What the state of imported libraries depends on."""

    python: str
    folder: str
    environment: dict[str, str]

    @classmethod
    def of_this_process(cls) -> "Surroundings":
        """Return those of this process."""
        environment = {name: value for name, value in os.environ.items() if name not in _OF_EACH_COMMAND}
        return cls(f"{sys.prefix} {sys.version}", str(Path.cwd()), environment)


@dataclass(frozen=True)
class Request:
    """A step to run."""

    arguments: list[str]
    """Of the command `transpose`."""
    environment: dict[str, str]
    ignored_signals: list[int]
    surroundings: Surroundings

    @classmethod
    def of_this_process(cls, arguments: list[str]) -> "Request":
        """Return a request to run a step as this process would."""
        ignored = [int(number) for number in FORWARDED if signal.getsignal(number) is signal.SIG_IGN]
        return cls(arguments, dict(os.environ), ignored, Surroundings.of_this_process())


def send_request(connection: socket.socket, request: Request) -> None:
    """Send a request and the standard streams of this process."""
    text = json.dumps(asdict(request)).encode()
    socket.send_fds(connection, [_LENGTH.pack(len(text))], STANDARD_STREAMS)
    connection.sendall(text)


def receive_request(connection: socket.socket) -> tuple[Request | None, list[int]]:
    """Return a request and the handles of its standard streams; None if the caller has ended before it was sent."""
    header, streams, _, _ = socket.recv_fds(connection, _LENGTH.size, len(STANDARD_STREAMS))
    if len(header) < _LENGTH.size:
        return None, streams
    (length,) = _LENGTH.unpack(header)
    text = connection.recv(length, socket.MSG_WAITALL)
    if len(text) < length:
        return None, streams
    values = json.loads(text)
    return Request(**values | {"surroundings": Surroundings(**values["surroundings"])}), streams


def send_status(connection: socket.socket, status: int) -> None:
    """Send a step's exit code, or the negative number of the signal that has ended it."""
    connection.sendall(_STATUS.pack(status))


def receive_status(connection: socket.socket) -> int | None:
    """Return the status of a step when it has ended; None if the server ends before."""
    received = connection.recv(_STATUS.size, socket.MSG_WAITALL)
    return _STATUS.unpack(received)[0] if len(received) == _STATUS.size else None
