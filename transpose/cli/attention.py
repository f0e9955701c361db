"""Verbs that explain trained variants."""

from pathlib import Path
from typing import Annotated

import typer

from transpose.cli.app import app
from transpose.cli.options import AnnotationFile, DatasetFile, ProtocolFile, RecipeFile, WeightsFile


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
