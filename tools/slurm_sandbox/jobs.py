"""Snakemake runs and Slurm's jobs in the sandbox."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tools.fault_injection.checkout import Checkout
from tools.slurm_sandbox.cluster import slurm
from transpose.errors import InputError

_SUBMITTED = re.compile(r"SLURM jobid '?(\d+)'?")

# The profile's account and partition are placeholders, and this Slurm keeps no accounts.
OF_THE_SANDBOX = (
    "--default-resources",
    "slurm_partition=main",
    "--slurm-no-account",
    "--slurm-status-command",
    "squeue",
    "--slurm-init-seconds-before-status-checks",
    "3",
    "--seconds-between-status-checks",
    "3",
)


@dataclass(frozen=True)
class Run:
    """A Snakemake process that submits the jobs of a checkout."""

    process: subprocess.Popen[bytes]
    log: Path
    checkout: Checkout

    def wait(self, limit: float = 1500) -> int:
        """Return its exit status."""
        return self.process.wait(limit)

    def submissions(self) -> int:
        """Number of submitted jobs."""
        return len(set(_SUBMITTED.findall(self.log.read_text(errors="replace"))))

    def has_checkpoint(self) -> bool:
        """Whether a training has something to lose."""
        return any((self.checkout.folder / self.checkout.results).glob("train/*/*/checkpoint.pt"))

    def wait_for_job(self, name: str, ready: Callable[[], bool] = lambda: True, limit: float = 600) -> str:
        """Return the number of a running job whose comment has `name`, once `ready` holds.

        Raises:
            InputError: there is none within the limit, or Snakemake has ended.
        """
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in slurm("squeue", "--noheader", "--states=RUNNING", "--format=%i %k").splitlines():
                number, _, comment = line.partition(" ")
                if name in comment and ready():
                    return number
            time.sleep(0.3)
        raise InputError(f"no job of {name!r} was seen", file=self.log)


def submit(checkout: Checkout, log: Path, *options: str) -> Run:
    """Start Snakemake with the profile in a checkout."""
    command = [sys.executable, "-m", "snakemake", "--workflow-profile", "profiles/slurm", *OF_THE_SANDBOX, *options]
    environment = os.environ | {"PYTHONPATH": str(checkout.folder)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=checkout.folder, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
    return Run(process, log, checkout)
