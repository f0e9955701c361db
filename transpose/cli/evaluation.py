"""Steps that evaluate, analyse and explain trained models."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transpose.cli.app import step
from transpose.cli.options import (
    AnnotationFile,
    DatasetFile,
    DatasetName,
    ResultsFolder,
    RunName,
    SettingName,
    SplitName,
    Workers,
)
from transpose.config.study import Analysis

if TYPE_CHECKING:
    from transpose.evaluation.analysis_input import AnalysisInput


@step.command()
def predict(
    run: RunName, results: ResultsFolder, evaluation: SettingName, annotations: AnnotationFile, workers: Workers = None
) -> None:
    """Predict keypoints of the persons in boxes.

    Writes COCO keypoint results.
    """
    from transpose.evaluation.prediction_file import write_predictions

    write_predictions(analysis_input(write_predictions, run, results, evaluation, annotations, workers))


@step.command()
def evaluate(run: RunName, results: ResultsFolder, evaluation: SettingName, annotations: AnnotationFile) -> None:
    """Evaluate predictions by COCO's AP or PCKh.

    Writes metrics with a bootstrap interval, cross-checked by pycocotools (and xtcocotools and hotcoco
    where they are installed).
    """
    from transpose.evaluation.report import write_metrics

    write_metrics(analysis_input(write_metrics, run, results, evaluation, annotations))


@step.command()
def evaluate_external(
    name: Annotated[str, typer.Argument(help="Name in the study's key `external`.")],
    results: ResultsFolder,
    annotations: AnnotationFile,
) -> None:
    """Evaluate results of another tool.

    Writes the metrics of a row of the comparison.
    """
    from transpose.evaluation.external_row import write_external
    from transpose.study.layout import ResultsLayout

    write_external(ResultsLayout(results), name, annotations)


@step.command()
def analyse(
    analysis: Annotated[Analysis, typer.Argument(help="Analysis to run.")],
    run: RunName,
    results: ResultsFolder,
    evaluation: SettingName,
    annotations: AnnotationFile,
    workers: Workers = None,
    parts: Annotated[Path | None, typer.Option(help="parts.npz of a synthetic split, for body_parts.")] = None,
) -> None:
    """Run an analysis of a trained model."""
    match analysis:
        case Analysis.PROTOCOLS:
            from transpose.evaluation.protocol_ablation import write_protocol_ablation as write
        case Analysis.RESOLUTIONS:
            from transpose.evaluation.resolutions import write_resolutions as write
        case Analysis.DTYPES:
            from transpose.evaluation.dtypes import write_dtypes as write
        case Analysis.ATTENTION_STATISTICS:
            from transpose.attention.statistics_report import write_statistics as write
        case Analysis.FAITHFULNESS:
            from transpose.attention.faithfulness_report import write_faithfulness as write
        case Analysis.ATTENTION_ABLATION:
            from transpose.attention.ablation_report import write_attention_ablation as write
        case Analysis.BODY_PARTS:
            from transpose.attention.body_part_report import write_body_parts

            inputs = analysis_input(write_body_parts, run, results, evaluation, annotations, workers)
            write_body_parts(inputs, parts)
            return
    write(analysis_input(write, run, results, evaluation, annotations, workers))


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


@step.command()
def error_browser(
    runs: Annotated[list[str], typer.Argument(metavar="VARIANT/seedN...", help="Trainings of the study.")],
    results: ResultsFolder,
    evaluation: SettingName,
    annotations: AnnotationFile,
) -> None:
    """Write types of errors, calibration and their pages.

    The page is one self-contained file, or a file with a folder of images if there are many.
    """
    from transpose.config.study import EvalSetting
    from transpose.reporting.study_errors import write_study_errors
    from transpose.study.layout import ResultsLayout, RunId

    chosen = [RunId.parse(run) for run in runs]
    write_study_errors(ResultsLayout(results), chosen, EvalSetting.parse(evaluation), annotations)


@step.command()
def make_submission(
    dataset: DatasetFile,
    annotations: AnnotationFile,
    predictions: Annotated[Path, typer.Option(help="COCO keypoint results on a test set.")],
    output: Annotated[Path, typer.Option("--output", help="Zip archive, named as the evaluation server requires.")],
) -> None:
    """Write a COCO test-dev submission."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.evaluation.submission import write_submission

    persons = write_submission(predictions, annotations, read_record(Dataset, dataset).skeleton, output)
    print(f"{output}: {persons:,} persons", file=sys.stderr)


def analysis_input(
    write: Callable[..., None],
    run: str,
    results: Path,
    evaluation: str,
    annotations: Path,
    workers: int | None = None,
) -> "AnalysisInput":
    """The input of an analysis, from the options of a step and the function that writes its report."""
    from transpose.config.study import EvalSetting
    from transpose.evaluation.analysis_input import AnalysisInput
    from transpose.study.layout import ResultsLayout, RunId

    return AnalysisInput(
        ResultsLayout(results),
        RunId.parse(run),
        EvalSetting.parse(evaluation),
        annotations,
        entry=write.__module__,
        workers=workers,
    )
