"""The command that tests recovery from killed processes."""

from pathlib import Path
from typing import Annotated

import typer

from transpose.cli.app import MEASURE, app


@app.command(rich_help_panel=MEASURE, epilog="Example: transpose inject-faults --kills 20 --seed 0")
def inject_faults(
    kills: Annotated[int, typer.Option(min=0, help="Number of kills.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the times and targets of kills.")] = 0,
    study: Annotated[Path, typer.Option(help="A study's YAML file.")] = Path("config/studies/fault_injection.yaml"),
    folder: Annotated[Path, typer.Option(help="New folder for the runs and their logs.")] = Path(
        "results/fault_injection"
    ),
) -> None:
    """Test that killed runs end with the same bytes.

    Runs a small study once undisturbed and once with random kills, and compares their results. Needs a clone of the
    repository. Writes both runs and their logs into --folder; exit status 1 if the results differ.
    """
    from transpose.fault_injection.inject import inject_faults

    verdict = inject_faults(study, kills, seed, folder, lambda line: print(line, flush=True))
    for line in verdict.differences:
        print(f"DIFFERENT: {line}")
    print("equal" if verdict.passed else f"{len(verdict.differences)} differences")
    raise typer.Exit(0 if verdict.passed else 1)
