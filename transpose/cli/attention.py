"""Steps that explain trained models."""

from typing import Annotated

import typer

from transpose.cli.app import step
from transpose.cli.options import AnnotationFile, DatasetName, ResultsFolder, RunName, SplitName


@step.command("explain")
def explain_persons(
    run: RunName, results: ResultsFolder, dataset: DatasetName, split: SplitName, annotations: AnnotationFile
) -> None:
    """Write attention maps of some annotated persons.

    Writes maps.npz (dependency and affected areas), persons.json and figures/.
    """
    from transpose.reporting.attention_maps import write_attention_maps
    from transpose.study.layout import ResultsLayout, RunId

    write_attention_maps(ResultsLayout(results), RunId.parse(run), dataset, split, annotations)


@step.command()
def attention_viewer(
    runs: Annotated[list[str], typer.Argument(metavar="VARIANT/seedN...", help="Trainings of the study.")],
    results: ResultsFolder,
    dataset: DatasetName,
    split: SplitName,
    annotations: AnnotationFile,
) -> None:
    """Write an HTML viewer of several models' attention.

    The page is one self-contained file.
    """
    from transpose.reporting.viewer_models import write_viewer
    from transpose.study.layout import ResultsLayout, RunId

    write_viewer(ResultsLayout(results), [RunId.parse(run) for run in runs], dataset, split, annotations)
