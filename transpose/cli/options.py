"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

RunName = Annotated[str, typer.Argument(metavar="VARIANT/seedN", help="A training of the study.")]
SettingName = Annotated[
    str, typer.Option("--evaluation", metavar="DATASET/SPLIT/BOXES", help="Data set, split and person boxes.")
]
ResultsFolder = Annotated[Path, typer.Option("--results", help="The study's results folder.")]
DatasetFile = Annotated[Path, typer.Option("--dataset", help="Resolved data set (records/datasets/NAME.json).")]
DatasetName = Annotated[str, typer.Option("--dataset", help="Name of a data set of the study.")]
SplitName = Annotated[str, typer.Option("--split", help="Name of a split of the data set.")]
RecipeFile = Annotated[Path, typer.Option("--recipe", help="Resolved recipe (records/recipes/NAME.json).")]
AnnotationFile = Annotated[Path, typer.Option("--annotations", help="COCO annotations; images in images/ beside it.")]
WeightsFile = Annotated[Path, typer.Option("--weights", help="Weights of the variant.")]
Output = Annotated[Path, typer.Option("--output", help="File to write.")]
Workers = Annotated[int | None, typer.Option(min=0, help="Processes that load images; the recipe's if not given.")]
