"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

RunName = Annotated[str, typer.Argument(metavar="VARIANT/seedN", help="Training of the study.")]
SettingName = Annotated[
    str, typer.Option("--evaluation", metavar="DATASET/SPLIT/BOXES", help="Data set, split and person boxes.")
]
ResultsFolder = Annotated[Path, typer.Option("--results", help="The study's results folder.")]
DatasetFile = Annotated[Path, typer.Option("--dataset", help="Data set (records/datasets/NAME.json).")]
DatasetName = Annotated[str, typer.Option("--dataset", help="Name of a data set of the study.")]
SplitName = Annotated[str, typer.Option("--split", help="Name of a split of the data set.")]
RecipeFile = Annotated[Path, typer.Option("--recipe", help="Recipe (records/recipes/NAME.json).")]
AnnotationFile = Annotated[
    Path, typer.Option("--annotations", help="COCO annotations; images are in images/ next to it.")
]
WeightsFile = Annotated[Path, typer.Option("--weights", help="Weights of the variant.")]
Jobs = Annotated[int, typer.Option("--jobs", min=1, help="Parallel processes; results do not depend on it.")]
Output = Annotated[Path, typer.Option("--output", help="File to write.")]
Workers = Annotated[int | None, typer.Option(min=0, help="Image loading processes; default: the recipe's.")]
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
