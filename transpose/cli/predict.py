"""Commands that use a model on images: predict and explain."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transpose.cli.app import USE, app
from transpose.errors import InputError

if TYPE_CHECKING:
    from transpose.inference.predictor import PosePredictor
    from transpose.reporting.predict_images import ImagePersons

Images = Annotated[
    list[Path],
    typer.Argument(metavar="IMAGE...", help="Image files; EXIF orientation is applied."),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Folder of a training (results/train/VARIANT/seedN), name of a released checkpoint in"
        " config/tables/weights.yaml, or, for predict, a file of `transpose export`; default: the small model in the"
        " package.",
    ),
]
Box = Annotated[
    list[str] | None,
    typer.Option("--box", help="Person box x,y,width,height in pixels, for a single image; repeatable."),
]
Boxes = Annotated[
    Path | None, typer.Option("--boxes", help="COCO detections; image_id is an image's file name without suffix.")
]


@app.command(rich_help_panel=USE, epilog="Example: transpose predict photo.jpg --box 120,40,200,420 --output poses")
def predict(
    images: Images,
    model: Model = None,
    box: Box = None,
    boxes: Boxes = None,
    output: Annotated[Path | None, typer.Option(help="Folder for predictions.json and overlays/NAME.png.")] = None,
    min_score: Annotated[
        float | None,
        typer.Option(help="Do not show keypoints with a lower score; default: the protocol's keypoint threshold."),
    ] = None,
) -> None:
    """Predict the keypoints of persons in images.

    Prints a line per person. With --output, writes predictions.json (COCO keypoint results) and overlays/NAME.png.
    Without --box or --boxes, each whole image is taken as one person's box.
    """
    from transpose.reporting.predict_images import predict_images, render_keypoints, render_persons, write_predictions

    persons = _persons_in(images, box, boxes)
    if min_score is not None and not math.isfinite(min_score):
        raise InputError("must be a number", file="--min-score", record=min_score)
    chosen = _predictor(model)
    shown = chosen.protocol.keypoint_threshold if min_score is None else min_score
    found = predict_images(chosen, persons)
    if output is not None:
        write_predictions(found, shown, output)
    print(render_persons(found, shown))
    if output is None:
        print("\n" + render_keypoints(found, shown))
    print(f"Keypoints scored below {shown:g} are left out.", file=sys.stderr)
    _note_whole_images(persons)


@app.command(rich_help_panel=USE, epilog="Example: transpose explain photo.jpg --box 120,40,200,420 --output explained")
def explain(
    images: Images,
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
    from transpose.model_sources import load
    from transpose.reporting.explain_images import explain_images
    from transpose.reporting.predict_images import render_keypoints

    persons = _persons_in(images, box, boxes)
    if not 0 < threshold < math.inf:
        raise InputError("must be a number larger than 0", file="--threshold", record=threshold)
    print(render_keypoints(explain_images(load(model), persons, threshold, output)))
    _note_whole_images(persons)


def _predictor(model: str | None) -> "PosePredictor":
    """Load a model; exported files load without PyTorch."""
    from transpose.config.exported import is_exported

    if model is not None and is_exported(model):
        from transpose.export.model import load_exported

        return load_exported(model)
    from transpose.model_sources import load

    return load(model)


def _persons_in(images: Sequence[Path], box: list[str] | None, boxes: Path | None) -> "list[ImagePersons]":
    from transpose.data.image_boxes import boxes_of_image, parse_boxes
    from transpose.reporting.predict_images import ImagePersons

    if box and (boxes is not None or len(images) > 1):
        raise InputError("goes with one image and without --boxes", file="--box")
    given = parse_boxes(box) if box else None
    return [ImagePersons(path, given if boxes is None else boxes_of_image(boxes, path)) for path in images]


def _note_whole_images(persons: "Sequence[ImagePersons]") -> None:
    whole = sum(image.boxes_xywh is None for image in persons)
    if whole:
        images = "image was taken as one person's box" if whole == 1 else f"{whole} images were each taken as one box"
        print(f"Without --box or --boxes the whole {images}.", file=sys.stderr)
