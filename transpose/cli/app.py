"""The Typer applications that commands register with, and the panels of `transpose --help`."""

import os
import sys
from contextlib import suppress
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import transpose
from transpose.gpu_slots import reserve_gpus, slots_folder, visible_gpus
from transpose.job_usage import usage_of_this_process

USE, OWN, STUDY = "Use a model", "Train and evaluate on your data", "Plan and read a study"
DATA, MEASURE = "Data", "Measure this machine"
_PANELS = (USE, OWN, DATA, STUDY, MEASURE)


class _InOrderOfPanels(TyperGroup):
    """Commands in the order of their panels instead of that in which modules register them."""

    def list_commands(self, ctx: Any) -> list[str]:
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: _PANELS.index(getattr(self.commands[name], "rich_help_panel", USE)))


app = typer.Typer(
    cls=_InOrderOfPanels,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train, evaluate, explain and compare 2D human pose models. `snakemake --cores N` runs a whole study.",
)


def _log_usage(result: object, **options: object) -> None:
    """End a step's log with its time and memory; not called where the step has failed."""
    # A log on a full disk.
    with suppress(OSError):
        print(usage_of_this_process(), file=sys.stderr)


step = typer.Typer(
    no_args_is_help=True,
    result_callback=_log_usage,
    add_completion=False,
    help="The steps of the workflow, one for each kind of Snakemake rule. A step reads the records of its results"
    " folder, which `transpose step write-config` writes.",
)


@step.callback()
def step_options(
    gpus: Annotated[
        int, typer.Option(min=0, help="Reserve this many of the machine's GPUs, and wait until they are free.")
    ] = 0,
) -> None:
    """Reserve the GPUs of a step, unless Slurm has done so, or this is one of the processes of a training."""
    if gpus and not {"SLURM_JOB_ID", "TORCHELASTIC_RUN_ID"} & os.environ.keys():
        reserve_gpus(gpus, visible_gpus(), slots_folder())


app.add_typer(step, name="step", short_help="Run one step of the workflow.", rich_help_panel=STUDY)


def _print_version(is_given: bool) -> None:
    if is_given:
        print(f"transpose {transpose.__version__}")
        raise typer.Exit


@app.callback()
def main_options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of `transpose` itself."""
