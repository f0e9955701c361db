"""A closed terminal ends Snakemake as Ctrl-C does."""

import os
import pty
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

SNAKEFILE = """
from transpose.study.rules import stop_on_hangup
stop_on_hangup()

rule wait:
    output: "done"
    shell: "touch started && sleep 60 && touch done"
"""
COMMAND = [sys.executable, "-m", "snakemake", "--cores", "1"]
ROOT = Path(__file__).parents[2]
SECONDS = 40


def locks(folder: Path) -> list[Path]:
    return list(folder.glob(".snakemake/locks/*"))


def wait_for(condition: Callable[[], bool]) -> None:
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < SECONDS
        time.sleep(0.05)


def test_a_closed_terminal_leaves_no_lock(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    shell, terminal = pty.fork()
    if shell == 0:
        os.chdir(tmp_path)
        # The shell has the terminal, as usual; when it ends, its jobs get SIGHUP.
        os.execve("/bin/sh", ["sh", "-c", f"{shlex.join(COMMAND)}; true"], os.environ | {"PYTHONPATH": str(ROOT)})
    wait_for(lambda: (tmp_path / "started").is_file())
    assert locks(tmp_path)
    os.close(terminal)
    os.waitpid(shell, 0)
    wait_for(lambda: not locks(tmp_path))
    assert not (tmp_path / "done").exists()


def test_under_nohup_snakemake_goes_on(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE.replace("sleep 60", "sleep 1"))
    run = subprocess.Popen(
        ["nohup", *COMMAND],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: (tmp_path / "started").is_file())
    os.killpg(run.pid, signal.SIGHUP)
    assert run.wait(SECONDS) == 0
    assert (tmp_path / "done").exists()
