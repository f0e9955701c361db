"""`transpose serve` as a process: its line, its end, and what it refuses."""

import signal
import socket
import subprocess
import sys

import pytest

from benchmarks.serve_load import running_server
from tests.helpers.served import Client
from transpose.errors import InputError
from transpose.serving.run import bound_socket


def test_an_address_in_use_is_named() -> None:
    with bound_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=rf"^http://127\.0\.0\.1:{port}: cannot be used: Address already in use"):
            bound_socket("127.0.0.1", port)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "::zz"])
def test_an_address_of_no_machine_is_one_line(host: str) -> None:
    with pytest.raises(InputError, match="cannot be used") as caught:
        bound_socket(host, 0)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_the_command_serves_until_it_is_asked_to_end() -> None:
    with running_server(["--queue", "3", "--max-megabytes", "0.01"]) as server:
        client = Client(server.port)
        assert client.get("/health").json == {"status": "ok"}
        assert client.post("/predict", bytes(10_001)).status == 413
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(60) == 0
    with pytest.raises(ConnectionError), socket.create_connection(("127.0.0.1", server.port)):
        pass


@pytest.mark.slow
def test_a_wrong_model_is_one_line() -> None:
    command = [sys.executable, "-m", "transpose", "serve", "--model", "nowhere", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 1
    assert done.stderr.startswith("transpose: nowhere: neither a run folder nor a released checkpoint")


def test_answers_are_sent_at_once() -> None:
    with bound_socket("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
