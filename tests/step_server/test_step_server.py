"""A step in a copy of the server behaves as in a process of its own, and does not outlive its caller or the server.

Steps of these tests are Python code, and their server imports no libraries. Their output is a pipe, which ends when no
process holds it: a test that has read to the end has waited for all of them.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

SERVER = """
import socket, sys, tempfile
tempfile.gettempdir()
from transpose.step_server.messages import Surroundings
from transpose.step_server.server import StepServer
server = StepServer(socket.socket(fileno=int(sys.argv[1])), 0, Surroundings.of_this_process())
if (request := server.serve()) is not None:
    exec(request.arguments[0])
"""
CALLER = """
import sys
from transpose.step_server.client import run_in_server
run_in_server(sys.argv[1], sys.argv[2:])
print("in its own process")
"""
WAIT = "import os, signal; print(os.getpid(), flush=True); signal.pause()"

StartStep = Callable[..., "subprocess.Popen[str]"]


def environment() -> dict[str, str]:
    """The environment of this process without the variable that pytest changes during a test."""
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


@pytest.fixture
def address(tmp_path: Path) -> str:
    return str(tmp_path / "socket")


@pytest.fixture
def server(address: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A server that ends at the end of its standard input."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        handle = listener.fileno()
        process = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(handle)],
            stdin=subprocess.PIPE,
            env=environment(),
            pass_fds=[handle],
            start_new_session=True,
        )
    with process:
        yield process


@pytest.fixture
def start(address: str) -> Iterator[StartStep]:
    """Start a caller of a step, with the options of `subprocess.Popen`."""
    callers = []

    def start(code: str, **options: object) -> "subprocess.Popen[str]":
        given: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        given |= {"env": environment(), "text": True, **options}
        caller = subprocess.Popen([sys.executable, "-c", CALLER, address, code], **given)
        callers.append(caller)
        return caller

    yield start
    for caller in callers:
        with caller:
            caller.kill()


def waiting_step(start: StartStep) -> tuple["subprocess.Popen[str]", int]:
    """A caller whose step waits, and the number of the step's process."""
    caller = start(WAIT)
    assert caller.stdout is not None
    return caller, int(caller.stdout.readline())


@pytest.mark.usefixtures("server")
def test_a_step_has_streams_environment_and_status_of_its_caller(start: StartStep, tmp_path: Path) -> None:
    code = (
        "import sys, tempfile; print(sys.stdin.read(), tempfile.gettempdir()); sys.stderr.write('error'); sys.exit(3)"
    )
    caller = start(code, env=environment() | {"TMPDIR": str(tmp_path)})
    assert caller.communicate("input") == (f"input {tmp_path}\n", "error")
    assert caller.returncode == 3


@pytest.mark.usefixtures("server")
def test_steps_do_not_see_each_other(start: StartStep) -> None:
    waiting, process = waiting_step(start)
    change = "import sys, os; sys.changed = True; os.environ['CHANGED'] = ''; print(os.getppid())"
    (server_seen, _), (ended, _) = start(change).communicate(), start(f"{change}").communicate()
    assert server_seen == ended
    look = "import os, sys; print(hasattr(sys, 'changed'), 'CHANGED' in os.environ)"
    assert start(look).communicate() == ("False False\n", "")
    assert waiting.poll() is None
    assert Path(f"/proc/{process}").exists()


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("change", [{"env": environment() | {"OMP_NUM_THREADS": "17"}}, {"cwd": "/"}])
def test_a_step_in_other_surroundings_runs_in_its_own_process(start: StartStep, change: dict[str, object]) -> None:
    assert start(WAIT, **change).communicate() == ("in its own process\n", "")


def test_a_step_without_a_server_runs_in_its_own_process(start: StartStep) -> None:
    assert start(WAIT).communicate() == ("in its own process\n", "")


@pytest.mark.usefixtures("server")
def test_a_caller_ends_by_the_signal_that_ends_its_step(start: StartStep) -> None:
    caller, step = waiting_step(start)
    os.kill(step, signal.SIGKILL)
    assert caller.communicate() == ("", "")
    assert caller.returncode == -signal.SIGKILL


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_to_the_caller_reach_the_step(start: StartStep, number: signal.Signals) -> None:
    handle = "import os, signal, sys; signal.signal({0}, lambda *_: sys.exit(7)); print(1, flush=True); signal.pause()"
    caller = start(handle.format(int(number)))
    assert caller.stdout is not None
    caller.stdout.readline()
    caller.send_signal(number)
    assert caller.wait() == 7
    unhandled, _ = waiting_step(start)
    unhandled.send_signal(number)
    output, errors = unhandled.communicate()
    assert output == ""
    assert ("KeyboardInterrupt" in errors) == (number == signal.SIGINT)
    assert unhandled.returncode == -number


@pytest.mark.usefixtures("server")
def test_a_signal_that_the_caller_ignores_is_ignored_by_its_step(start: StartStep) -> None:
    show = "import signal; print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN)"
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        caller = start(show)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert caller.communicate() == ("True\n", "")


@pytest.mark.usefixtures("server")
def test_a_step_and_its_children_end_with_a_killed_caller(start: StartStep) -> None:
    caller = start(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WAIT!r}])")
    assert caller.stdout is not None
    caller.stdout.readline()
    caller.kill()
    assert caller.communicate() == ("", "")


@pytest.mark.parametrize("end", ["kill", "terminate"])
def test_steps_end_with_a_server_that_ends(server: "subprocess.Popen[bytes]", start: StartStep, end: str) -> None:
    callers = [waiting_step(start)[0] for _ in range(2)]
    getattr(server, end)()
    for caller in callers:
        output, errors = caller.communicate()
        assert (output, errors) == ("", "transpose: the step was lost, because the server of steps has ended\n")
        assert caller.returncode == 1
    assert start(WAIT).communicate() == ("in its own process\n", "")


def test_steps_end_with_the_process_that_has_started_the_server(
    server: "subprocess.Popen[bytes]", start: StartStep
) -> None:
    caller, _ = waiting_step(start)
    assert server.stdin is not None
    server.stdin.close()
    assert server.wait() == 0
    assert caller.communicate()[0] == ""
    assert caller.returncode == 1
