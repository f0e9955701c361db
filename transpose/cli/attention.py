"""Steps that explain trained models."""

from typing import Annotated

import typer

from transpose.cli.app import step
from transpose.cli.options import AnnotationFile, DatasetName, ResultsFolder, RunName, SplitName


@step.command("explain")
def explain_persons(
    run: RunName, results: ResultsFolder, dataset: DatasetName, split: SplitName, annotations: AnnotationFile
) -> None:
    """Write dependency and affected areas of a few annotated persons' keypoints, as arrays and figures."""
    from transpose.reporting.explanation import write_explanation
    from transpose.study.layout import ResultsLayout, RunId

    write_explanation(ResultsLayout(results), RunId.parse(run), dataset, split, annotations)


@step.command()
def explore(
    runs: Annotated[list[str], typer.Argument(metavar="VARIANT/seedN...", help="Trainings of the study.")],
    results: ResultsFolder,
    dataset: DatasetName,
    split: SplitName,
    annotations: AnnotationFile,
) -> None:
    """Write a self-contained HTML viewer of the attention maps of several models."""
    from transpose.reporting.explored_models import write_explorer
    from transpose.study.layout import ResultsLayout, RunId

    write_explorer(ResultsLayout(results), [RunId.parse(run) for run in runs], dataset, split, annotations)
