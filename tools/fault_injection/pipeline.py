"""Run Snakemake in a checkout and find its processes."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import psutil

from tools.fault_injection.checkout import Checkout

COMMAND = ("snakemake", "--cores", "2")
TRACEBACK = "Traceback (most recent call last)"
UNLOCK = ("snakemake", "--unlock")


class Pipeline:
    """One call of `snakemake`, from its start to its end."""

    def __init__(
        self,
        checkout: Checkout,
        log: Path,
        command: Sequence[str] = COMMAND,
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Start `snakemake` in a new session, with its output in `log` and some more environment variables."""
        self.log, self.command = log, tuple(command)
        # Without bytecode files, each of the many short processes would compile torch again.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=checkout.folder,
                env={**environment, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended_within(self, seconds: float | None) -> bool:
        """Wait up to `seconds` (None: without limit) and return whether the call has ended."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    @property
    def status(self) -> int:
        """Exit status of an ended call; negative after a signal."""
        return self._process.wait()

    def message(self) -> str:
        """Return the first error line of the log; empty if there is none."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        errors = [line.strip() for line in lines if line.startswith("transpose: ") or "Exception" in line]
        return errors[0] if errors else ""


def processes_in(checkout: Checkout) -> list[psutil.Process]:
    """Return all processes in the checkout: Snakemake, its jobs, their children, and orphans."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(checkout.folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def is_locked(checkout: Checkout) -> bool:
    """Return whether a killed call of Snakemake has left the folder locked."""
    return any((checkout.folder / ".snakemake" / "locks").glob("*"))


def tracebacks_in(checkout: Checkout, log: Path) -> list[str]:
    """Return one line per traceback in the logs of jobs and in `log` of Snakemake.

    Only the last attempt of a job counts: its log is overwritten on restart.
    """
    jobs = (checkout.folder / checkout.results / "logs").rglob("*.log")
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in (log, *sorted(jobs))}
    return [f"traceback in {path}: {text.splitlines()[-1]}" for path, text in texts.items() if TRACEBACK in text]


def wait_for_orphans(checkout: Checkout, seconds: float) -> float:
    """Wait until no process runs in the checkout, and return the waiting time in seconds.

    Raises:
        TimeoutError: a process still runs after `seconds`.
    """
    begin = time.monotonic()
    while processes := processes_in(checkout):
        if time.monotonic() - begin > seconds:
            raise TimeoutError(f"still running: {[process.cmdline() for process in processes]}")
        psutil.wait_procs(processes, timeout=1)
    return time.monotonic() - begin
