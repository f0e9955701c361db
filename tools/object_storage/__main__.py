"""Run a toy study with its files in object storage, and compare the results with a local run.

python -m tools.object_storage --folder trial

It needs snakemake-storage-plugin-s3, snakemake-storage-plugin-fs, moto[server] and rsync. S3 is played by moto's server
on this machine.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from tools.fault_injection.checkout import Checkout
from tools.fault_injection.outcome import RunOutcome
from tools.object_storage.storages import Storage, folder_storage, s3_storage
from transpose.errors import InputError

STUDY = Path("config/studies/fault_injection.yaml")
PACKAGED = "transpose/models/pretrained"
"""Weights in the clone that trainings start from."""
_LONG_AGO = (1.0, 1.0)


def main(
    folder: Annotated[Path, typer.Option(help="New folder for all runs and logs.")],
    study: Annotated[Path, typer.Option(help="A study's YAML file.")] = STUDY,
    target: Annotated[list[str] | None, typer.Option(help="A file to make; may be repeated. Default: all.")] = None,
) -> None:
    """Run a study locally and with each storage, and compare the results; exit status 1 if they differ."""
    try:
        differences = try_storages(folder, study, target or [])
    except InputError as error:
        sys.exit(f"object storage: {error}")
    for line in differences:
        print(f"DIFFERENT: {line}")
    print("equal" if not differences else f"{len(differences)} differences")
    raise typer.Exit(1 if differences else 0)


def try_storages(folder: Path, study: Path, targets: Sequence[str]) -> list[str]:
    """Return a line for each difference between the local run and the runs with a storage."""
    clone = Checkout.make(folder / "clone", study)
    checkout = clone.copy(folder / "local")
    _snakemake(checkout, folder / "local.log", targets)
    local = RunOutcome.of(checkout)
    _say(f"local: {len(local.digests)} files and runs, {local.digest()[:16]}")
    with s3_storage(folder / "moto.log") as s3:
        differences = _try_storage(clone, folder, s3, targets, local)
    return differences + _try_storage(clone, folder, folder_storage(folder / "stored"), targets, local)


def _try_storage(
    clone: Checkout, folder: Path, storage: Storage, targets: Sequence[str], local: RunOutcome
) -> list[str]:
    checkout = clone.copy(folder / storage.name)
    storage.link_local_copies(checkout.folder)
    _snakemake(checkout, folder / f"{storage.name}.log", targets, *storage.options)
    outcome = RunOutcome.of(checkout)
    stored = storage.stored()
    kept = checkout.made().keys() - stored
    _say(
        f"{storage.name}: {outcome.digest()[:16]}, {len(stored)} files in the storage,"
        f" {len(kept)} on the disk alone, such as {min(kept, default='none')}"
    )
    _say(f"{storage.name}, another machine: {_plan_elsewhere(clone, folder, storage, targets)}")
    return [f"{storage.name}: {line}" for line in outcome.differences(local)]


def _plan_elsewhere(clone: Checkout, folder: Path, storage: Storage, targets: Sequence[str]) -> str:
    """Plan the study in a clone that has no results; return what Snakemake would do."""
    other = clone.copy(folder / f"{storage.name}_elsewhere")
    storage.link_local_copies(other.folder)
    for path in (other.folder / PACKAGED).iterdir():
        os.utime(path, _LONG_AGO)
    log = folder / f"{storage.name}_elsewhere.log"
    _snakemake(other, log, targets, *storage.options, "--dry-run")
    lines = log.read_text(errors="replace").splitlines()
    return next((line for line in lines if line.startswith(("Nothing to be done", "total "))), "no plan")


def _snakemake(checkout: Checkout, log: Path, targets: Sequence[str], *options: str) -> None:
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *options, "--", *targets]
    environment = os.environ | {"PYTHONPATH": str(checkout.folder)}
    # moto accepts any.
    environment |= {"SNAKEMAKE_STORAGE_S3_ACCESS_KEY": "any", "SNAKEMAKE_STORAGE_S3_SECRET_KEY": "any"}
    with log.open("wb") as output:
        done = subprocess.run(
            command, cwd=checkout.folder, stdout=output, stderr=subprocess.STDOUT, env=environment, check=False
        )
    if done.returncode:
        raise InputError(f"Snakemake ended with status {done.returncode}", file=log)


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    typer.run(main)
