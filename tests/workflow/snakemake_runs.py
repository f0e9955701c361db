"""Snakemake runs in copies of the clone."""

import subprocess
import sys
from pathlib import Path


def snakemake(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a checkout with two cores."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    return subprocess.run(
        command, cwd=checkout, capture_output=True, text=True, check=False, timeout=1200, stdin=subprocess.DEVNULL
    )


def output_of(done: subprocess.CompletedProcess[str]) -> str:
    """Everything that a run printed."""
    return done.stdout + done.stderr


def plan_after_edit(checkout: Path, file: str, old: str, new: str) -> str:
    """What Snakemake plans to do where `old` in a file is replaced by `new`; the file is put back."""
    path = checkout / file
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))
    plan = output_of(snakemake(checkout, "-n"))
    path.write_text(before)
    return plan
