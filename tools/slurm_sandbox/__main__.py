"""Run a toy study through the Slurm profile on a real Slurm, with jobs that are cancelled, preempted or too large.

python -m tools.slurm_sandbox --folder sandbox

It needs root, Debian's packages slurm-wlm and munge, and the extra `slurm`. All runs must end with the same bytes.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tools.fault_injection.checkout import Checkout
from tools.fault_injection.inject import run_to_end
from tools.fault_injection.outcome import RunOutcome
from tools.slurm_sandbox.cluster import running_slurm, slurm
from tools.slurm_sandbox.jobs import Run, submit
from tools.slurm_sandbox.trouble import TROUBLES, Trouble
from transpose.errors import InputError

STUDY = Path("config/studies/fault_injection.yaml")
RUNS: dict[str, Trouble | None] = {"undisturbed": None} | {trouble.name: trouble for trouble in TROUBLES}


def main(
    folder: Annotated[Path, typer.Option(help="New folder for all runs and logs.")],
    study: Annotated[Path, typer.Option(help="A study's YAML file.")] = STUDY,
    run: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(RUNS)}; may be repeated.")] = None,
    memory_mb: Annotated[int, typer.Option(help="Memory that the node claims to have.")] = 100_000,
) -> None:
    """Run a study locally and through Slurm, and compare the results; exit status 1 if they differ."""
    try:
        differences = try_profile(folder, study, run or list(RUNS), memory_mb)
    except InputError as error:
        sys.exit(f"Slurm sandbox: {error}")
    for line in differences:
        print(f"DIFFERENT: {line}")
    print("equal" if not differences else f"{len(differences)} differences")
    raise typer.Exit(1 if differences else 0)


def try_profile(folder: Path, study: Path, names: Sequence[str], memory_mb: int) -> list[str]:
    """Return a line for each difference between the local run and the runs through Slurm.

    Args:
        names: runs of `RUNS`.
    """
    if unknown := [name for name in names if name not in RUNS]:
        raise InputError(f"unknown; known are {', '.join(RUNS)}", file="--run", record=unknown[0])
    clone = Checkout.make(folder / "clone", study)
    checkout = clone.copy(folder / "local")
    run_to_end(checkout, folder / "local.log")
    local = RunOutcome.of(checkout)
    _say(f"local: {len(local.digests)} files and runs, {local.digest()[:16]}")
    differences = []
    with running_slurm(folder / "slurm", memory_mb):
        _say(slurm("sinfo", "--noheader", "--format=%P %D node, %c processors, %m MB, %G, %T").strip())
        for name in names:
            outcome = _through_slurm(clone.copy(folder / name), folder / f"{name}.log", RUNS[name])
            differences += [f"{name}: {line}" for line in (*outcome.faults, *outcome.differences(local))]
    return differences


def _through_slurm(checkout: Checkout, log: Path, trouble: Trouble | None) -> RunOutcome:
    begin = time.monotonic()
    run = submit(checkout, log, *(trouble.options if trouble else ()))
    try:
        if trouble is not None:
            _say(f"{log.stem}: {trouble.cause(run)}")
        status = run.wait()
    finally:
        run.process.kill()
        slurm("scancel", "--user=root")
    if status:
        raise InputError(f"Snakemake ended with status {status}", file=log)
    outcome = RunOutcome.of(checkout)
    _say(
        f"{log.stem}: {time.monotonic() - begin:.0f} s, {run.submissions()} submissions of {jobs_of(run)} jobs,"
        f" {outcome.digest()[:16]}"
    )
    return outcome


def jobs_of(run: Run) -> int:
    """Number of the study's jobs, by Snakemake's table of jobs."""
    lines = run.log.read_text(errors="replace").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("total "))


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    typer.run(main)
