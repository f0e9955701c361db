"""The verb that kills."""

from pathlib import Path
from typing import Annotated

import typer

from transpose.cli.app import app


@app.command()
def chaos(
    kills: Annotated[int, typer.Option(min=0)] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Of moments and victims.")] = 0,
    study: Annotated[Path, typer.Option(help="A study's YAML file.")] = Path("config/chaos.yaml"),
    folder: Annotated[Path, typer.Option(help="New folder for the runs and their logs.")] = Path("results/chaos"),
) -> None:
    """Run a small study undisturbed and under kills, and compare what both made; status 1 if it differs."""
    from transpose.chaos.run import run_chaos

    verdict = run_chaos(study, kills, seed, folder, lambda line: print(line, flush=True))
    for line in verdict.differences:
        print(f"DIFFERENT: {line}")
    print("equal" if verdict.passed else f"{len(verdict.differences)} differences")
    raise typer.Exit(0 if verdict.passed else 1)
