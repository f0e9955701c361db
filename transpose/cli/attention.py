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
