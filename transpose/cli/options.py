"""Options that several verbs share."""

from pathlib import Path
from typing import Annotated

import typer

RecipeFile = Annotated[Path, typer.Option("--recipe", help="Resolved recipe (records/recipes/NAME.json).")]
ProtocolFile = Annotated[Path, typer.Option("--protocol", help="Resolved evaluation protocol.")]
DatasetFile = Annotated[Path, typer.Option("--dataset", help="Resolved data set (records/datasets/NAME.json).")]
AnnotationFile = Annotated[Path, typer.Option("--annotations", help="COCO annotations; pictures in images/ beside it.")]
WeightsFile = Annotated[Path, typer.Option("--weights", help="Weights of the recipe's variant.")]
BoxFile = Annotated[Path, typer.Option("--boxes", help="Person boxes.")]
RunFile = Annotated[Path, typer.Option("--run", help="run.json of the training; weights.safetensors beside it.")]
Output = Annotated[Path, typer.Option("--output", help="File to write.")]
ResultsFolder = Annotated[Path, typer.Option("--results", help="The study's results folder.")]
StudyFile = Annotated[Path, typer.Option("--study", help="Resolved study.")]
Workers = Annotated[int | None, typer.Option(min=0, help="Processes that load pictures; the recipe's if not given.")]
StudyName = Annotated[str, typer.Option("--study", help="Name of the study.")]
