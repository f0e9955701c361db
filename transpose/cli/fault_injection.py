"""The command that tests recovery from killed processes."""

from pathlib import Path
from typing import Annotated

import typer

from transpose.cli.app import app


@app.command()
def inject_faults(
    kills: Annotated[int, typer.Option(min=0)] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of moments and targets.")] = 0,
    study: Annotated[Path, typer.Option(help="A study's YAML file.")] = Path("config/fault_injection.yaml"),
    folder: Annotated[Path, typer.Option(help="New folder for the runs and their logs.")] = Path(
        "results/fault_injection"
    ),
) -> None:
    """Run a small study undisturbed and under kills, and compare what both made; status 1 if it differs."""
    from transpose.fault_injection.run import inject_faults

    verdict = inject_faults(study, kills, seed, folder, lambda line: print(line, flush=True))
    for line in verdict.differences:
        print(f"DIFFERENT: {line}")
    print("equal" if verdict.passed else f"{len(verdict.differences)} differences")
    raise typer.Exit(0 if verdict.passed else 1)
