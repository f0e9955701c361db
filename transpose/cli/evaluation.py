"""Steps that evaluate, analyse and explain trained models."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transpose.cli.app import OWN, app, step
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
from transpose.errors import InputError

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


@app.command(
    "evaluate",
    rich_help_panel=OWN,
    epilog="Example: transpose evaluate results.json --annotations person_keypoints_val2017.json",
)
def evaluate_file(
    results: Annotated[Path, typer.Argument(help="COCO keypoint results of any tool.")],
    annotations: Annotated[Path, typer.Option("--annotations", help="Annotation file of any tool.")],
    dataset: Annotated[
        str | None,
        typer.Option(help="Data set with skeleton and categories: name, or YAML file; default: COCO's keypoints."),
    ] = None,
    category: Annotated[
        list[str] | None, typer.Option(help="Id or name of persons in RESULTS; repeatable; default: as annotated.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all figures as JSON.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="Resamples over images for the interval of AP.")] = 1000,
    config: Annotated[Path, typer.Option(help="Folder of variants and data sets.")] = Path("config"),
) -> None:
    """Evaluate keypoint results of any tool by COCO's OKS, without images.

    Prints the ten COCO figures, an interval of AP, the reference evaluators that agreed, and what was left out.
    """
    from transpose.config.bootstrap import Bootstrap
    from transpose.config.load import find_dataset
    from transpose.evaluation.external_evaluation import evaluate_results
    from transpose.files import write_json
    from transpose.reporting.evaluation_text import render_evaluation
    from transpose.skeleton import COCO_PERSON

    found = None if dataset is None else find_dataset(dataset, config / "datasets")[1]
    if found is not None and found.evaluation != "oks":
        raise InputError(
            f"is {found.evaluation}; only OKS can be computed", file="--dataset", record=dataset, field="evaluation"
        )
    report = evaluate_results(
        results,
        annotations,
        COCO_PERSON if found is None else found.skeleton,
        Bootstrap(samples=samples, seed=0),
        found.category if found else None,
        [int(name) if name.isdecimal() else name for name in category] if category else None,
        found.keypoint_fields if found else ("keypoints",),
    )
    if json_file is not None:
        write_json(json_file, report.model_dump(mode="json"))
    print(render_evaluation(report))


@step.command()
def evaluate(run: RunName, results: ResultsFolder, evaluation: SettingName, annotations: AnnotationFile) -> None:
    """Evaluate predictions by COCO's AP or PCKh.

    Writes metrics with a bootstrap interval, cross-checked by pycocotools (and xtcocotools and hotcoco
    where they are installed).
    """
    from transpose.evaluation.report import write_metrics

    write_metrics(analysis_input(write_metrics, run, results, evaluation, annotations))


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
