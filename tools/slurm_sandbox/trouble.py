"""What happens to jobs on a cluster: cancelled, out of time, out of memory, preempted."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from tools.slurm_sandbox.cluster import slurm
from tools.slurm_sandbox.jobs import Run
from transpose.errors import InputError

_ENDED = ("CANCELLED", "COMPLETED", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY", "TIMEOUT")
_LIMIT = 240.0
"""Seconds until Slurm must have acted; it looks at time limits every half a minute."""


@dataclass(frozen=True)
class Trouble:
    """Something that goes wrong in a run."""

    name: str
    cause: Callable[[Run], str]
    """Wait for a job and disturb it; return what happened to it, as Slurm says."""
    options: tuple[str, ...] = ()
    """Options of Snakemake."""


def _cancel(run: Run) -> str:
    job = run.wait_for_job("rule_train", run.has_checkpoint)
    slurm("scancel", job)
    return f"job {job} cancelled: {_end_of(job)}"


def _exceed_time(run: Run) -> str:
    """Stop the processes of a training, so that its time passes."""
    job = run.wait_for_job("rule_train", run.has_checkpoint)
    slurm("scancel", "--signal=STOP", job)
    slurm("scontrol", "update", f"JobId={job}", "TimeLimit=0:01")
    return f"job {job} stopped, time limit 1 s: {_end_of(job)}"


def _exceed_memory(run: Run) -> str:
    job = run.wait_for_job("rule_predict")
    return f"job {job} of a prediction in {_memory_of(job)}: {_end_of(job)}"


def _preempt(run: Run) -> str:
    job = run.wait_for_job("rule_train", run.has_checkpoint)
    urgent = slurm(
        "sbatch", "--parsable", "--partition=urgent", "--exclusive", "--mem=0", "--output=/dev/null", "--wrap=sleep 5"
    ).strip()
    return f"job {job} preempted by job {urgent}: {_wait(lambda: _after_preemption(job), bool)}"


TROUBLES = (
    Trouble("cancelled", _cancel),
    Trouble("out_of_time", _exceed_time),
    Trouble("out_of_memory", _exceed_memory, ("--set-resources", "predict:mem_mb=150*8**(attempt-1)")),
    Trouble("preempted", _preempt),
)


def _end_of(job: str) -> str:
    """Return the state in which a job ended."""
    return _wait(lambda: _field(job, "JobState"), lambda state: state in _ENDED)


def _after_preemption(job: str) -> str:
    """Return whether Slurm or Snakemake repeats a job; empty while it runs.

    A job that ends by itself after SIGTERM has failed for Slurm, which requeues the ones that it kills.
    """
    restarts, state = _field(job, "Restarts"), _field(job, "JobState")
    if restarts not in ("", "0"):
        return f"requeued by Slurm, restarts: {restarts}"
    return f"{state}, repeated by Snakemake" if state in _ENDED else ""


def _memory_of(job: str) -> str:
    return _field(job, "MinMemoryNode")


def _field(job: str, name: str) -> str:
    """Return a field of `scontrol show job`; empty when Slurm has forgotten the job."""
    parts = slurm("scontrol", "show", "job", job).split()
    return next((part.partition("=")[2] for part in parts if part.startswith(f"{name}=")), "")


def _wait(value: Callable[[], str | None], wanted: Callable[[str], bool]) -> str:
    deadline = time.monotonic() + _LIMIT
    while time.monotonic() < deadline:
        found = value()
        if found is not None and wanted(found):
            return found
        time.sleep(0.5)
    raise InputError("Slurm did not act in time", file="Slurm")
