"""The rules name a living run of Snakemake in the folder, and keep its lock."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workflow.snakemake_runs import output_of, snakemake
from tools.fault_injection.checkout import copy_clone

LIVING_RUN = """
import sys
from pathlib import Path
from transpose.study.running import note_this_run
note_this_run(Path(sys.argv[1]) / ".snakemake" / "running")
print("noted", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a clone holds, in which nothing has run."""
    copy_clone(tmp_path)
    return tmp_path


@pytest.fixture
def living_run(checkout: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has noted itself as Snakemake does when its jobs start."""
    command = [sys.executable, "-c", LIVING_RUN, str(checkout)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "noted\n"
        yield run


def test_a_living_run_is_named_and_its_lock_stays(checkout: Path, living_run: subprocess.Popen[str]) -> None:
    message = f"Snakemake is already running in this folder (process {living_run.pid} on "
    lock = checkout / ".snakemake" / "locks" / "0.output.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("results/comparison.csv\n")
    second = snakemake(checkout, "--quiet", "all")
    assert second.returncode != 0
    assert output_of(second).count(message) == 1
    assert output_of(second).index(message) < output_of(second).index("LockException")
    unlocking = snakemake(checkout, "--unlock")
    assert unlocking.returncode != 0
    assert message in output_of(unlocking)
    assert lock.exists()
    living_run.kill()
    living_run.wait()
    unlocking = snakemake(checkout, "--unlock")
    assert unlocking.returncode == 0, output_of(unlocking)
    assert not lock.exists()
    assert message not in output_of(unlocking)
