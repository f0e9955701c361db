"""Tamper with a study in twelve ways; each must run again what it decides, be refused, or be noted in the comparison.

python -m tools.tamper
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from tools.fault_injection.__main__ import STUDY
from tools.fault_injection.checkout import Checkout
from tools.tamper.kinds import Tampering, kinds
from transpose.errors import InputError

FOLDER = Path("results/tamper")


def main(
    study: Annotated[Path, typer.Option(help="A study's YAML file.")] = STUDY,
    folder: Annotated[Path, typer.Option(help="New folder for the runs.")] = FOLDER,
) -> None:
    """Run a small study, tamper with copies of it, and print what the workflow does about each."""
    try:
        original = Checkout.make(folder / "untouched", study)
    except InputError as error:
        sys.exit(f"tamper: {error}")
    done = snakemake(original.folder)
    if done.returncode:
        sys.exit(f"tamper: the study itself failed:\n{done.stdout[-3000:]}")
    noticed = [judge(kind, original, folder / f"{number}") for number, kind in enumerate(kinds(), start=1)]
    print(f"{sum(noticed)} of {len(noticed)} noticed")
    raise typer.Exit(0 if all(noticed) else 1)


def judge(kind: Tampering, original: Checkout, folder: Path) -> bool:
    """Print and return whether the workflow notices a kind of tampering in a copy of a checkout."""
    copy = original.copy(folder)
    kind.change(copy.folder)
    rules = planned_rules(copy.folder)
    missing = kind.reruns - rules
    noticed = not missing and ("train" in rules) == kind.trains
    found = f"runs again: {', '.join(sorted(rules & (kind.reruns | {'train'})))}"
    if noticed and kind.answer:
        printed = snakemake(copy.folder).stdout
        comparison = copy.folder / copy.results / "comparison.csv"
        text = printed + (comparison.read_text() if comparison.is_file() else "")
        noticed = kind.answer in text
        found += f"; then: {kind.answer}" if noticed else f"; nothing says {kind.answer!r}"
    print(f"{'ok' if noticed else 'NOT NOTICED'}: {kind.name}: {found}", flush=True)
    if noticed:
        shutil.rmtree(copy.folder)
    return noticed


def planned_rules(folder: Path) -> set[str]:
    """Return the rules of the jobs that a dry run plans."""
    lines = snakemake(folder, "--dry-run", "--quiet", "rules").stdout.splitlines()
    counted = (line.split() for line in lines)
    return {words[0] for words in counted if len(words) == 2 and words[1].isdecimal()} - {"total", "all"}


def snakemake(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a folder, with both of its streams in `stdout`."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *options],
        cwd=folder,
        check=False,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


if __name__ == "__main__":
    typer.run(main)
