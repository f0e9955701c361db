"""The command that exports a model."""

from pathlib import Path
from typing import Annotated

import typer

import transpose
from transpose.cli.app import USE, app
from transpose.cli.options import Model
from transpose.config.exported import ExportFormat, ExportReturns


@app.command(rich_help_panel=USE, epilog="Example: transpose export --format onnx --output model.onnx")
def export(
    output: Annotated[Path, typer.Option("--output", help="File to write: .onnx, .pt2 or .xml.")],
    file_format: Annotated[ExportFormat, typer.Option("--format", help="File format.")],
    returns: Annotated[
        ExportReturns,
        typer.Option(help="What the file computes: the network's heatmaps, or keypoints with flip test and decoding."),
    ] = "heatmaps",
    model: Model = None,
) -> None:
    """Export a model to a file that `transpose predict --model FILE` uses, without PyTorch for .onnx and .xml.

    The file takes crops [B, H, W, 3] uint8 RGB and returns heatmaps [B, K, h, w], or keypoints [B, K, 3] (x, y in crop
    pixels, and score). It describes its keypoints, input size and protocol.
    """
    from transpose.export.write import export_model
    from transpose.model_sources import load

    export_model(load(model), file_format, returns, output, transpose.__version__)
    print(f"wrote {output}")
