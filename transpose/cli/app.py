"""The applications that commands register with."""

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Train, evaluate, explain and compare pose models.",
)
step = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="The steps of the workflow: each Snakemake rule calls one. A results folder must have its records; see"
    " `transpose step write-config`.",
)
app.add_typer(step, name="step")
