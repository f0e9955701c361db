"""The application that verbs register with."""

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The `transpose` command: each verb is a thin shell over one public function.",
)
