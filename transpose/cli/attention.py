"""Verbs that explain trained variants."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transpose.cli.app import app
from transpose.cli.options import (
    AnnotationFile,
    BoxFile,
    DatasetFile,
    Output,
    ProtocolFile,
    RecipeFile,
    RunFile,
    StudyFile,
    WeightsFile,
)
from transpose.errors import InputError

if TYPE_CHECKING:
    from transpose.attention.examination import Examination

MeasuresFile = Annotated[Path, typer.Option("--settings", help="Resolved measures of attention.")]
Resamples = Annotated[int, typer.Option("--bootstrap", min=1, help="Resamples over pictures.")]
BootstrapSeed = Annotated[int, typer.Option("--bootstrap-seed", min=0)]


@app.command()
def explain(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Pictures; EXIF orientation is ignored.")],
    run: RunFile,
    output: Annotated[Path, typer.Option("--output", help="Folder for figures/, explorer.html and persons.json.")],
    box: Annotated[
        list[str] | None, typer.Option(help="A person's x,y,width,height in pixels of the one picture; repeatable.")
    ] = None,
    boxes: Annotated[
        Path | None, typer.Option(help="COCO detections whose image_id is a picture's name without suffix.")
    ] = None,
    dataset: Annotated[
        Path | None, typer.Option(help="Resolved data set with the model's keypoints; COCO's 17 by default.")
    ] = None,
    protocol: Annotated[
        Path | None, typer.Option(help="Resolved evaluation protocol; the official one by default.")
    ] = None,
    threshold: Annotated[float, typer.Option(help="Figures show attention above this multiple of uniform.")] = 1.0,
) -> None:
    """Explain a trained variant on any picture; without boxes each picture is one person's box."""
    from transpose.config.load import read_record
    from transpose.config.study import Protocol
    from transpose.data.picture_boxes import boxes_of_picture, parse_boxes
    from transpose.reporting.explain_pictures import PicturePersons, explain_pictures, skeleton_of_run
    from transpose.reporting.pose_text import render_poses

    if box and (boxes is not None or len(images) > 1):
        raise InputError("--box", None, None, "goes with one picture and without --boxes")
    if not 0 < threshold < math.inf:
        raise InputError("--threshold", threshold, None, "must be a number larger than 0")
    given = parse_boxes(box) if box else None
    pictures = [PicturePersons(path, given if boxes is None else boxes_of_picture(boxes, path)) for path in images]
    skeleton = skeleton_of_run(run, dataset)
    rules = read_record(Protocol, protocol) if protocol else Protocol()
    print(render_poses(explain_pictures(run, pictures, skeleton, rules, threshold, output), skeleton))


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


@app.command()
def measure_attention(
    recipe: RecipeFile,
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    run: RunFile,
    boxes: BoxFile,
    settings: MeasuresFile,
    bootstrap: Resamples,
    bootstrap_seed: BootstrapSeed,
    output: Output,
) -> None:
    """Measure where joints' cells look: at which joints, at whose body, how far and how sharply."""
    from transpose.attention.statistics_report import write_statistics

    examined = examination(
        recipe, protocol, dataset, annotations, run, boxes, settings, bootstrap, bootstrap_seed, output
    )
    write_statistics(examined)


@app.command()
def measure_faithfulness(
    recipe: RecipeFile,
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    run: RunFile,
    boxes: BoxFile,
    settings: MeasuresFile,
    bootstrap: Resamples,
    bootstrap_seed: BootstrapSeed,
    output: Output,
) -> None:
    """Take away the cells that keypoints are said to depend on, and measure what becomes of them."""
    from transpose.attention.faithfulness_report import write_faithfulness

    examined = examination(
        recipe, protocol, dataset, annotations, run, boxes, settings, bootstrap, bootstrap_seed, output
    )
    write_faithfulness(examined)


@app.command()
def compare_faithfulness(study: StudyFile) -> None:
    """Write the table and the figures of a study's faithfulness tests."""
    from transpose.config.load import read_record
    from transpose.config.study import Study
    from transpose.reporting.faithfulness import write_faithfulness_tables

    write_faithfulness_tables(read_record(Study, study))


@app.command()
def compare_attention(study: StudyFile) -> None:
    """Write the table and the figures of a study's attention statistics."""
    from transpose.config.load import read_record
    from transpose.config.study import Study
    from transpose.reporting.attention_statistics import write_statistics_tables

    write_statistics_tables(read_record(Study, study))


@app.command()
def ablate_attention(
    recipe: RecipeFile,
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    run: RunFile,
    boxes: BoxFile,
    settings: MeasuresFile,
    bootstrap: Resamples,
    bootstrap_seed: BootstrapSeed,
    output: Output,
) -> None:
    """Evaluate a trained variant with heads and layers off, attention replaced, and positions changed."""
    from transpose.attention.ablation_report import write_attention_ablation

    examined = examination(
        recipe, protocol, dataset, annotations, run, boxes, settings, bootstrap, bootstrap_seed, output
    )
    write_attention_ablation(examined)


@app.command()
def compare_attention_ablations(study: StudyFile) -> None:
    """Write the table of a study's attention ablations."""
    from transpose.config.load import read_record
    from transpose.config.study import Study
    from transpose.reporting.attention_ablation import write_attention_ablation_table

    write_attention_ablation_table(read_record(Study, study))


@app.command()
def measure_body_parts(
    recipe: RecipeFile,
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    run: RunFile,
    boxes: BoxFile,
    settings: MeasuresFile,
    bootstrap: Resamples,
    bootstrap_seed: BootstrapSeed,
    output: Output,
    parts: Annotated[Path | None, typer.Option(help="Part labels of a rendered split, if there are any.")] = None,
) -> None:
    """Measure what hidden and seen keypoints owe to their mirror partners and neighbours."""
    from transpose.attention.body_part_report import write_body_parts

    examined = examination(
        recipe, protocol, dataset, annotations, run, boxes, settings, bootstrap, bootstrap_seed, output
    )
    write_body_parts(examined, parts)


@app.command()
def compare_body_parts(study: StudyFile) -> None:
    """Write the table of what a study's keypoints owe to other body parts."""
    from transpose.config.load import read_record
    from transpose.config.study import Study
    from transpose.reporting.body_parts import write_body_part_table

    write_body_part_table(read_record(Study, study))


@app.command()
def findings(study: StudyFile) -> None:
    """Say what a study's measurements make of the paper's claims about attention."""
    from transpose.config.load import read_record
    from transpose.config.study import Study
    from transpose.reporting.findings import write_findings

    write_findings(read_record(Study, study))


def examination(
    recipe: Path,
    protocol: Path,
    dataset: Path,
    annotations: Path,
    run: Path,
    boxes: Path,
    settings: Path,
    bootstrap: int,
    bootstrap_seed: int,
    output: Path,
) -> "Examination":
    """What the options of a verb that measures attention say."""
    from transpose.attention.examination import Examination
    from transpose.config.attention import AttentionMeasures
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.config.study import Protocol
    from transpose.evaluation.report import Bootstrap

    return Examination(
        read_record(Recipe, recipe),
        run,
        read_record(Dataset, dataset),
        annotations,
        boxes,
        read_record(Protocol, protocol),
        read_record(AttentionMeasures, settings),
        Bootstrap(samples=bootstrap, seed=bootstrap_seed),
        output,
    )
