"""Commands for data of one's own: describe a labelled folder."""

from pathlib import Path
from typing import Annotated

import typer

from transpose.cli.app import DATA, app


@app.command(
    rich_help_panel=DATA, epilog="Example: transpose describe-data data/mine/train/annotations.json > mine.yaml"
)
def describe_data(
    annotations: Annotated[Path, typer.Argument(help="Annotation file in COCO's keypoint format.")],
) -> None:
    """Print a starting YAML file for a labelled folder.

    Layout and keypoints are read from the folder; mirrored pairs, OKS sigmas and the upper body are guessed from the
    keypoints' names. Read it before use.
    """
    from transpose.data.describe import describe_data as describe

    print(describe(annotations), end="")
