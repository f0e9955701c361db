"""Log a study that two machines train to an MLflow server that is away for a minute, and compare MLflow with the files.

python -m tools.tracking_server --folder tracking_trial

It needs PostgreSQL (Debian: apt install postgresql) and its driver (pip install psycopg2-binary). The two machines are
two folders on this one.
"""

import sys
import time
from pathlib import Path
from typing import Annotated

import mlflow
import typer

from tools.tracking_server.equality import Equality
from tools.tracking_server.server import running_server
from tools.tracking_server.trial import Trial, files_with_password, prepare_machines
from transpose.errors import InputError

STUDY = Path("config/studies/fault_injection.yaml")


def main(
    folder: Annotated[Path, typer.Option(help="New folder for the machines, the server's artifacts and all logs.")],
    study: Annotated[Path, typer.Option(help="A study's YAML file.")] = STUDY,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs, so many that a training outlasts the outage.")] = 200,
    away: Annotated[float, typer.Option(min=0, help="Seconds without a server.")] = 60.0,
) -> None:
    """Run the trial; exit status 1 if MLflow differs from the files, or if a file has the password."""
    try:
        found = try_server(folder, study, epochs, away)
    except InputError as error:
        sys.exit(f"tracking server: {error}")
    for line in found.differences:
        print(f"DIFFERENT: {line}")
    print(f"compared: {found.numbers} numbers and {found.files} files")
    print("equal" if not found.differences else f"{len(found.differences)} differences")
    raise typer.Exit(1 if found.differences else 0)


def try_server(folder: Path, study: Path, epochs: int, away: float) -> Equality:
    """Return the comparison of MLflow with the results of both machines."""
    begin = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - begin:4.0f} s  {line}", flush=True)

    with running_server(folder / "server") as (server, database):
        say(f"started: MLflow {mlflow.__version__} on PostgreSQL {database.version()}")
        here, there = prepare_machines(folder, study, epochs, server.uri)
        found = Trial(here, there, server, database, say).run(away)
    found.differences += files_with_password(folder)
    return found


if __name__ == "__main__":
    typer.run(main)
