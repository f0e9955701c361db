"""Command that explains predicted keypoints."""

import math
import sys
from pathlib import Path
from typing import Annotated

import typer

from transpose.cli.app import USE, app
from transpose.cli.image_persons import note_whole_images, persons_in
from transpose.cli.options import Box, Boxes, Model
from transpose.errors import InputError


@app.command(rich_help_panel=USE, epilog="Example: transpose explain photo.jpg --box 120,40,200,420 --output explained")
def explain(
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE...", help="Image files, folders, patterns; EXIF orientation is applied."),
    ],
    output: Annotated[Path, typer.Option("--output", help="Folder to write.")],
    model: Model = None,
    box: Box = None,
    boxes: Boxes = None,
    threshold: Annotated[float, typer.Option(help="Show attention above this multiple of uniform attention.")] = 1.0,
) -> None:
    """Show which parts of an image keypoints depend on.

    Writes figures/ (dependency and affected areas), viewer.html and persons.json into --output, and prints keypoints.
    Without --box or --boxes, each whole image is taken as one person's box.
    """
    from transpose.data.image_inputs import images_of
    from transpose.model_sources import load
    from transpose.reporting.explain_images import explain_images
    from transpose.reporting.pose_text import keypoint_blocks

    persons = persons_in(images_of(images, sys.stdin), box, boxes)
    if not 0 < threshold < math.inf:
        raise InputError("must be a number larger than 0", file="--threshold", record=threshold)
    for image in explain_images(load(model), persons, threshold, output):
        for block in keypoint_blocks(image.path.name, image.poses):
            print(block)
    note_whole_images(sum(one.boxes_xywh is None for one in persons))
