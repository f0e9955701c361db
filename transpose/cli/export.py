"""The command that exports a model."""

from pathlib import Path
from typing import Annotated

import typer

import transpose
from transpose.cli.app import USE, app
from transpose.cli.predict import Model
from transpose.config.exported import ExportFormat


@app.command(rich_help_panel=USE, epilog="Example: transpose export --format onnx --output model.onnx")
def export(
    output: Annotated[Path, typer.Option("--output", help="File to write: .onnx, .pt2 or .xml.")],
    file_format: Annotated[ExportFormat, typer.Option("--format", help="File format.")],
    model: Model = None,
) -> None:
    """Export a model to a file that `transpose predict --model FILE` uses without PyTorch."""
    from transpose.export.write import export_model
    from transpose.model_sources import load

    export_model(load(model), file_format, output, transpose.__version__)
    print(f"wrote {output}")
