"""The documented command in a checkout, and every process that comes of it."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from transpose.fault_injection.checkout import Checkout

COMMAND = ("snakemake", "--cores", "2")
TRACEBACK = "Traceback (most recent call last)"
UNLOCK = ("snakemake", "--unlock")


class Pipeline:
    """One call of `snakemake`, from its start to its end."""

    def __init__(self, checkout: Checkout, log: Path, command: Sequence[str] = COMMAND) -> None:
        """Start it in a session of its own; what it prints goes to `log`."""
        self.log = log
        # Many short processes: each would compile torch again.
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=checkout.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended_within(self, seconds: float | None) -> bool:
        """Wait for the end, for some seconds or for as long as it takes."""
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
        """The line of the log that says what was wrong; empty if none does."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        telling = [line.strip() for line in lines if line.startswith("transpose: ") or "Exception" in line]
        return telling[0] if telling else ""


def processes_in(checkout: Checkout) -> list[psutil.Process]:
    """Everything that runs in the checkout: Snakemake, its jobs, what these started, and orphans."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(checkout.folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def is_locked(checkout: Checkout) -> bool:
    """Whether Snakemake will say that the folder is locked, since a call of it was killed."""
    return any((checkout.folder / ".snakemake" / "locks").glob("*"))


def tracebacks_in(checkout: Checkout, log: Path) -> list[str]:
    """One line for each traceback of a job, or of the call of Snakemake that wrote `log`.

    A job's log is written anew when it starts again.
    """
    jobs = (checkout.folder / checkout.results / "logs").rglob("*.log")
    texts = {path: path.read_text(encoding="utf-8", errors="replace") for path in (log, *sorted(jobs))}
    return [f"traceback in {path}: {text.splitlines()[-1]}" for path, text in texts.items() if TRACEBACK in text]


def wait_for_orphans(checkout: Checkout, seconds: float) -> float:
    """Wait until nothing runs in the checkout; return for how long.

    Raises:
        TimeoutError: something still runs after so many seconds.
    """
    begin = time.monotonic()
    while processes := processes_in(checkout):
        if time.monotonic() - begin > seconds:
            raise TimeoutError(f"still running: {[process.cmdline() for process in processes]}")
        psutil.wait_procs(processes, timeout=1)
    return time.monotonic() - begin
