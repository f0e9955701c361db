"""Commands for people with images: poses, and what they depend on."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transpose.cli.app import app
from transpose.errors import InputError

if TYPE_CHECKING:
    from transpose.reporting.image_poses import ImagePersons

Images = Annotated[
    list[Path],
    typer.Argument(metavar="IMAGE...", help="Images, read as they are displayed (EXIF orientation applied)."),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Folder of a training (results/train/VARIANT/seedN), or name of a released checkpoint in"
        " config/weights.yaml; the small model of the package by default.",
    ),
]
Box = Annotated[
    list[str] | None,
    typer.Option("--box", help="A person's x,y,width,height in pixels of the one image; repeatable."),
]
Boxes = Annotated[
    Path | None, typer.Option("--boxes", help="COCO detections whose image_id is an image's name without suffix.")
]


@app.command()
def predict(
    images: Images,
    model: Model = None,
    box: Box = None,
    boxes: Boxes = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for predictions.json (COCO results) and overlays/NAME.png.")
    ] = None,
    min_score: Annotated[
        float | None,
        typer.Option(help="Keypoints scored lower are not shown; by default those that do not count in a score."),
    ] = None,
) -> None:
    """Find the keypoints of people in images; without boxes each image is one person's box."""
    from transpose.model_sources import load
    from transpose.reporting.pose_text import render_keypoints, render_persons
    from transpose.reporting.predict_images import predict_images, write_predictions

    persons = _persons_in(images, box, boxes)
    if min_score is not None and not math.isfinite(min_score):
        raise InputError("--min-score", min_score, None, "must be a number")
    chosen = load(model)
    shown = chosen.protocol.keypoint_threshold if min_score is None else min_score
    found = predict_images(chosen, persons)
    if output is not None:
        write_predictions(found, shown, output)
    print(render_persons(found, shown))
    if output is None:
        print("\n" + render_keypoints(found, shown))
    print(f"Keypoints scored below {shown:g} are left out.", file=sys.stderr)
    _note_whole_images(persons)


@app.command()
def explain(
    images: Images,
    output: Annotated[Path, typer.Option("--output", help="Folder for figures/, viewer.html and persons.json.")],
    model: Model = None,
    box: Box = None,
    boxes: Boxes = None,
    threshold: Annotated[float, typer.Option(help="Figures show attention above this multiple of uniform.")] = 1.0,
) -> None:
    """Show what a model's keypoints depend on in images; without boxes each image is one person's box."""
    from transpose.model_sources import load
    from transpose.reporting.explain_images import explain_images
    from transpose.reporting.pose_text import render_keypoints

    persons = _persons_in(images, box, boxes)
    if not 0 < threshold < math.inf:
        raise InputError("--threshold", threshold, None, "must be a number larger than 0")
    print(render_keypoints(explain_images(load(model), persons, threshold, output)))
    _note_whole_images(persons)


def _persons_in(images: Sequence[Path], box: list[str] | None, boxes: Path | None) -> "list[ImagePersons]":
    from transpose.data.box_options import boxes_of_image, parse_boxes
    from transpose.reporting.image_poses import ImagePersons

    if box and (boxes is not None or len(images) > 1):
        raise InputError("--box", None, None, "goes with one image and without --boxes")
    given = parse_boxes(box) if box else None
    return [ImagePersons(path, given if boxes is None else boxes_of_image(boxes, path)) for path in images]


def _note_whole_images(persons: "Sequence[ImagePersons]") -> None:
    whole = sum(image.boxes_xywh is None for image in persons)
    if whole:
        images = "image was taken as one person's box" if whole == 1 else f"{whole} images were each taken as one box"
        print(f"Without --box or --boxes the whole {images}.", file=sys.stderr)
