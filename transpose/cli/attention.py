"""Verbs that explain trained variants."""

import math
from pathlib import Path
from typing import Annotated

import typer

from transpose.cli.app import app
from transpose.cli.options import AnnotationFile, DatasetFile, ProtocolFile, RecipeFile, RunFile, WeightsFile
from transpose.errors import InputError


@app.command()
def explain(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Pictures; EXIF orientation is ignored.")],
    run: RunFile,
    output: Annotated[Path, typer.Option("--output", help="Folder for figures/, explorer.html and persons.json.")],
    box: Annotated[
        list[str] | None, typer.Option(help="A person's x,y,width,height in pixels of the one picture; repeatable.")
    ] = None,
    boxes: Annotated[
        Path | None, typer.Option(help="COCO detections whose image_id is a picture's name without suffix.")
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="Resolved data set with the model's keypoints; COCO's 17 by default.")
    ] = None,
    protocol: Annotated[
        Path | None, typer.Option(help="Resolved evaluation protocol; the official one by default.")
    ] = None,
    threshold: Annotated[float, typer.Option(help="Figures show attention above this multiple of uniform.")] = 1.0,
) -> None:
    """Explain a trained variant on any picture; without boxes each picture is one person's box."""
    from transpose.config.load import read_record
    from transpose.config.study import Protocol
    from transpose.data.picture_boxes import boxes_of_picture, parse_boxes
    from transpose.reporting.explain_pictures import PicturePersons, explain_pictures, skeleton_of_run
    from transpose.reporting.pose_text import render_poses

    if box and (boxes is not None or len(images) > 1):
        raise InputError("--box", None, None, "goes with one picture and without --boxes")
    if not 0 < threshold < math.inf:
        raise InputError("--threshold", threshold, None, "must be a number larger than 0")
    given = parse_boxes(box) if box else None
    pictures = [PicturePersons(path, given if boxes is None else boxes_of_picture(boxes, path)) for path in images]
    skeleton = skeleton_of_run(run, dataset)
    rules = read_record(Protocol, protocol) if protocol else Protocol()
    print(render_poses(explain_pictures(run, pictures, skeleton, rules, threshold, output), skeleton))


@app.command()
def explain_persons(
    recipe: RecipeFile,
    settings: Annotated[Path, typer.Option(help="Resolved explanation settings.")],
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    weights: WeightsFile,
    output: Annotated[Path, typer.Option(help="maps.npz; persons.json and figures/ appear beside it.")],
) -> None:
    """Write dependency and affected areas of chosen annotated persons' keypoints, as arrays and as figures."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.config.study import Explanation, Protocol
    from transpose.reporting.explanation import write_explanation

    write_explanation(
        read_record(Recipe, recipe),
        weights,
        read_record(Dataset, dataset).skeleton,
        annotations,
        read_record(Protocol, protocol),
        read_record(Explanation, settings),
        output.parent,
    )


@app.command()
def explore(
    run: Annotated[list[Path], typer.Option(help="run.json of a training, weights.safetensors beside it; repeatable.")],
    settings: Annotated[Path, typer.Option(help="Resolved explanation settings.")],
    protocol: ProtocolFile,
    dataset: DatasetFile,
    split: Annotated[str, typer.Option(help="The split's name, for the page's title.")],
    annotations: AnnotationFile,
    output: Annotated[Path, typer.Option("--output", help="HTML file to write.")],
) -> None:
    """Write one page without a network on which the attention of trained variants is looked at, side by side."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.study import Explanation, Protocol
    from transpose.reporting.explored_models import write_explorer

    write_explorer(
        run,
        read_record(Dataset, dataset),
        split,
        annotations,
        read_record(Protocol, protocol),
        read_record(Explanation, settings),
        output,
    )
