"""Runs of Snakemake in terminals of two widths, and with its output in a file."""

import codecs
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.helpers.screen import Screen

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "snakemake", "--cores", "2", "--logger", "transpose"]
# The training goes on once the test has seen it.
SNAKEFILE = """
from snakemake.logging import logger
from transpose.terminal.remaining import RUN_PLAN, RunPlan, TimedJob

onstart:
    jobs = {job.jobid: TimedJob(job.rule.name, 20.0) for job in workflow.dag.needrun_jobs()}
    logger.info("Jobs to run", extra={RUN_PLAN: RunPlan(jobs, workflow.cores)})

rule all:
    input: "trained", "checked"

rule train:
    output: "trained"
    log: "train.log"
    message: "Train a_variant_with_a_name_that_is_longer_than_most, seed 0"
    shell:
        "(echo 'epoch 1/12 done: loss 0.0125, validation AP 0.312';"
        " echo 'epoch 2/12 step 3/9 loss 0.012345 ETA 0:01:05';"
        " for i in $(seq 600); do [ -e seen ] && break; sleep 0.1; done; touch {output}) 2> {log} >&2"

rule check:
    output: "checked"
    log: "check.log"
    message: "Check the data"
    shell: "(echo 'transpose: data.json: broken'; {config[check]}) 2> {log} >&2; touch {output}"
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    return tmp_path


class Terminal:
    """A terminal in which Snakemake runs."""

    def __init__(self, file: int, columns: int) -> None:
        fcntl.ioctl(file, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self._file = file
        self._text = codecs.getincrementaldecoder("utf-8")()
        self.screen = Screen(columns)

    def read_until(self, condition: Callable[[list[str]], bool]) -> list[str]:
        """Read until the lines meet a condition or the run has ended, and return them."""
        while not condition(self.screen.lines()):
            try:
                self.screen.feed(self._text.decode(os.read(self._file, 65536)))
            except OSError:
                break
        return self.screen.lines()


@contextmanager
def run_in_terminal(folder: Path, columns: int, check: str) -> Iterator[tuple[subprocess.Popen[bytes], Terminal]]:
    """Run Snakemake in a terminal; `check` is the command of the second job."""
    ours, theirs = pty.openpty()
    terminal = Terminal(ours, columns)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color"}
    for name in ("COLUMNS", "LINES", "NO_COLOR"):
        environment.pop(name, None)
    command = [*COMMAND, "--config", f"check={check}"]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        yield process, terminal
    os.close(ours)


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_has_a_line_for_each_running_job_and_a_bar(folder: Path, columns: int) -> None:
    with run_in_terminal(folder, columns, "true") as (process, terminal):
        running = terminal.read_until(lambda lines: "epoch 2/12" in "".join(lines) and lines[-1].endswith(" left"))
        (folder / "seen").touch()
        ended = terminal.read_until(lambda lines: False)
    assert process.wait() == 0
    assert all(len(line) <= columns for line in running)
    (training,) = (line for line in running if "epoch" in line)
    assert training.startswith("Train a_variant_with_a_name_")
    assert training.endswith("epoch 2/12, loss 0.012345, AP 0.312, ETA 0:01:05")
    assert any("━" in line and line.endswith(" left") for line in running)
    assert terminal.screen.is_cursor_visible
    assert not any("━" in line or "epoch" in line for line in ended)
    assert any("Train a_variant" in line and line[0].isdecimal() for line in ended)
    assert ended[-1].startswith("Done in")


def test_ctrl_c_leaves_a_clean_terminal_and_the_way_on(folder: Path) -> None:
    with run_in_terminal(folder, 80, "true") as (process, terminal):
        terminal.read_until(lambda lines: any("epoch 2/12" in line for line in lines))
        os.killpg(process.pid, signal.SIGINT)
        ended = terminal.read_until(lambda lines: False)
    assert process.wait() == 1
    assert any(line.startswith("Stopped after") for line in ended)
    assert not any("━" in line for line in ended)


def test_a_file_has_plain_lines_and_a_failure_its_log(folder: Path) -> None:
    (folder / "seen").touch()
    command = [*COMMAND, "--keep-going", "--config", "check=false"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "\x1b" not in done.stderr
    assert "━" not in done.stderr
    lines = done.stderr.splitlines()
    error = lines.index("Error in rule check: Check the data")
    assert lines[error + 1 : error + 3] == ["  log: check.log:", "transpose: data.json: broken"]
    assert sum("Train a_variant" in line for line in lines) == 1
    (log,) = (folder / ".snakemake" / "log").iterdir()
    assert f"Snakemake's log: .snakemake/log/{log.name}" in lines
    assert "rule train:" in log.read_text() or "Job " in log.read_text()
