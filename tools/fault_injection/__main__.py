"""Test that killed runs of a study end with the same bytes.

python -m tools.fault_injection --kills 20 --seed 0
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from tools.fault_injection.inject import inject_faults
from transpose.errors import InputError

STUDY = Path("config/studies/fault_injection.yaml")
FOLDER = Path("results/fault_injection")


def main(
    kills: Annotated[int, typer.Option(min=0, help="Number of kills.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the times and targets of kills.")] = 0,
    study: Annotated[Path, typer.Option(help="A study's YAML file.")] = STUDY,
    folder: Annotated[Path, typer.Option(help="New folder for the runs and their logs.")] = FOLDER,
) -> None:
    """Test that killed runs end with the same bytes.

    Runs a small study once undisturbed and once with random kills, and compares their results. Writes both runs and
    their logs into --folder; exit status 1 if the results differ.
    """
    try:
        verdict = inject_faults(study, kills, seed, folder, lambda line: print(line, flush=True))
    except InputError as error:
        sys.exit(f"fault injection: {error}")
    for line in verdict.differences:
        print(f"DIFFERENT: {line}")
    print("equal" if verdict.passed else f"{len(verdict.differences)} differences")
    raise typer.Exit(0 if verdict.passed else 1)


if __name__ == "__main__":
    typer.run(main)
