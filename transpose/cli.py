"""The `transpose` command: each verb is a thin shell over one public function."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from transpose.errors import InputError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

RecipeFile = Annotated[Path, typer.Option("--recipe", help="Resolved recipe (records/recipes/NAME.json).")]
ProtocolFile = Annotated[Path, typer.Option("--protocol", help="Resolved evaluation protocol.")]
DatasetFile = Annotated[Path, typer.Option("--dataset", help="Resolved data set (records/datasets/NAME.json).")]
AnnotationFile = Annotated[Path, typer.Option("--annotations", help="COCO annotations; pictures in images/ beside it.")]
WeightsFile = Annotated[Path, typer.Option("--weights", help="Weights of the recipe's variant.")]
Output = Annotated[Path, typer.Option("--output", help="File to write.")]
ResultsFolder = Annotated[Path, typer.Option("--results", help="The study's results folder.")]
StudyName = Annotated[str, typer.Option("--study", help="Name of the study.")]


@app.command()
def record(kind: str, values: str, output: Output) -> None:
    """Write a resolved block of configuration, given as JSON, after checking it against its model."""
    from transpose.config.records import write_record

    write_record(kind, values, output)


@app.command()
def synthesise(
    dataset: DatasetFile,
    split: Annotated[str, typer.Option()],
    output: Annotated[Path, typer.Option(help="annotations.json of the split; images/ appears beside it.")],
    jobs: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Render one split of a synthetic data set."""
    # Rendering runs in processes of its own; more threads than cores only make them wait for each other.
    os.environ["OMP_NUM_THREADS"] = "1"
    from transpose.config.dataset import Dataset, SyntheticSource
    from transpose.config.load import read_record
    from transpose.data.synthetic.dataset import synthesise as render

    source = read_record(Dataset, dataset).source
    if not isinstance(source, SyntheticSource):
        raise InputError(dataset, None, "source", f"is {source.kind}, not synthetic")
    render(source, split, output.parent, jobs)


@app.command()
def boxes(
    dataset: DatasetFile,
    split: Annotated[str, typer.Option()],
    source: Annotated[str, typer.Option(help="Name of a box source of the data set.")],
    annotations: AnnotationFile,
    output: Output,
) -> None:
    """Make person boxes in COCO's detection format."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.data.box_sources import boxes_of_source
    from transpose.data.boxes import write_boxes
    from transpose.data.coco import load_annotations

    settings = read_record(Dataset, dataset)
    if source not in settings.boxes:
        raise InputError(dataset, None, "boxes", f"no source {source!r}; known are {', '.join(settings.boxes)}")
    write_boxes(
        boxes_of_source(settings.boxes[source], split, load_annotations(annotations, settings.skeleton)), output
    )


@app.command()
def train(
    recipe: RecipeFile,
    seed: Annotated[int, typer.Option(min=0)],
    dataset: DatasetFile,
    train: Annotated[Path, typer.Option(help="Annotations to train on.")],
    validation: Annotated[Path, typer.Option(help="Annotations to validate on.")],
    protocol: ProtocolFile,
    results: ResultsFolder,
    study: StudyName,
) -> None:
    """Train a variant; the same command after an interruption continues."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.config.study import Protocol
    from transpose.progress import TrainingProgress
    from transpose.tracking import LiveRun
    from transpose.training.interruption import Interrupted
    from transpose.training.loop import DivergedError
    from transpose.training.run import TrainingData, train_variant

    chosen = read_record(Recipe, recipe)
    data = TrainingData(train, validation, read_record(Dataset, dataset).skeleton)
    folder = results / "train" / chosen.name / f"seed{seed}"
    try:
        with LiveRun(results, study, chosen, seed) as live:
            progress = TrainingProgress(chosen.training.epochs, sys.stderr, live.epoch)
            train_variant(chosen, seed, data, read_record(Protocol, protocol), folder, progress)
    except DivergedError as error:
        raise InputError(folder, None, None, str(error)) from None
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        raise typer.Exit(128 + stop.signal_number) from None


@app.command()
def predict(
    recipe: RecipeFile,
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    weights: WeightsFile,
    boxes: Annotated[Path, typer.Option(help="Person boxes.")],
    output: Output,
) -> None:
    """Predict the persons in boxes; writes COCO keypoint results."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.config.study import Protocol
    from transpose.evaluation.pipeline import predict_file

    predict_file(
        read_record(Recipe, recipe),
        weights,
        read_record(Dataset, dataset).skeleton,
        annotations,
        boxes,
        read_record(Protocol, protocol),
        output,
    )


@app.command()
def evaluate(
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    run: Annotated[Path, typer.Option(help="run.json of the training; weights.safetensors beside it.")],
    boxes: Annotated[Path, typer.Option(help="Person boxes that were predicted on.")],
    predictions: Annotated[Path, typer.Option(help="COCO keypoint results.")],
    bootstrap: Annotated[int, typer.Option(min=1, help="Resamples over pictures.")],
    bootstrap_seed: Annotated[int, typer.Option(min=0)],
    output: Output,
) -> None:
    """Evaluate predictions by COCO OKS, with a bootstrap interval and xtcocotools' second opinion."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.study import Protocol
    from transpose.evaluation.report import Bootstrap, write_metrics

    write_metrics(
        read_record(Dataset, dataset),
        annotations,
        run,
        read_record(Protocol, protocol),
        boxes,
        predictions,
        Bootstrap(samples=bootstrap, seed=bootstrap_seed),
        output,
    )


@app.command()
def explain(
    recipe: RecipeFile,
    settings: Annotated[Path, typer.Option(help="Resolved explanation settings.")],
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    weights: WeightsFile,
    output: Annotated[Path, typer.Option(help="maps.npz; persons.json and figures/ appear beside it.")],
) -> None:
    """Write dependency and affected areas of chosen persons' keypoints, as arrays and as figures."""
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
def cost(
    variant: Annotated[Path, typer.Argument(help="config/variants/NAME.yaml, or a resolved recipe.")],
    settings: Annotated[Path | None, typer.Option(help="Resolved cost settings.")] = None,
    keypoints: Annotated[int, typer.Option(min=1)] = 17,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    output: Annotated[Path | None, typer.Option("--output", help="JSON file to write.")] = None,
) -> None:
    """Measure parameters, multiply-accumulates, latency and images per second of a variant."""
    from transpose.config.load import load_any_variant, read_record
    from transpose.config.study import Cost
    from transpose.cost import measure_variant
    from transpose.files import write_json
    from transpose.reporting.cost_text import render_cost

    chosen = load_any_variant(variant)
    report = measure_variant(chosen, read_record(Cost, settings) if settings else Cost(), keypoints, device)
    if output is not None:
        write_json(output, report.model_dump(mode="json"))
    print(render_cost(chosen.title, report))


@app.command()
def plan(
    study: Annotated[Path, typer.Argument(help="A study's YAML file.")],
    config: Annotated[Path, typer.Option(help="Folder of variants, data sets and downloads.")] = Path("config"),
) -> None:
    """Estimate GPU hours, GPU memory and disk of a study; nothing is run."""
    from transpose.config.base import read_yaml
    from transpose.reporting.plan_text import render_plan
    from transpose.workflow import Plan

    print(render_plan(Plan.of_config(read_yaml(study), config, str(study)), config / "downloads.yaml"))


@app.command()
def compare(
    study: Annotated[Path, typer.Option(help="Resolved study.")],
    published: Annotated[Path, typer.Option(help="The paper's figures.")],
) -> None:
    """Write the comparison and ablation tables and the figures of a study."""
    from transpose.config.load import read_record
    from transpose.config.study import Study
    from transpose.reporting.study import write_study

    write_study(read_record(Study, study), published)


@app.command()
def track_database(results: ResultsFolder, output: Output) -> None:
    """Create the MLflow database of a results folder."""
    from transpose.files import write_json
    from transpose.tracking import initialise_database, tracking_uri

    uri = tracking_uri(results)
    initialise_database(uri)
    write_json(output, {"tracking_uri": uri})


@app.command()
def track(
    results: ResultsFolder,
    study: StudyName,
    variant: Annotated[str, typer.Option()],
    seed: Annotated[int, typer.Option(min=0)],
    output: Output,
) -> None:
    """Bring MLflow level with the files of one training; what it holds already is not logged again."""
    from transpose.files import write_json
    from transpose.tracking import track_run, tracking_uri

    write_json(output, track_run(results, study, variant, seed, tracking_uri(results)))


@app.command()
def track_study(results: ResultsFolder, study: StudyName, output: Output) -> None:
    """Store the comparison's tables and figures in MLflow."""
    from transpose.files import write_json
    from transpose.tracking import track_study as store
    from transpose.tracking import tracking_uri

    write_json(output, store(results, study, tracking_uri(results)))


@app.command()
def summary(results: ResultsFolder = Path("results")) -> None:
    """Print the comparison and where everything else is."""
    from transpose.reporting.summary import render_summary

    print(render_summary(results))


@app.command()
def export_backbone(
    recipe: RecipeFile,
    weights: WeightsFile,
    description: Annotated[str, typer.Option(help="What tables call these weights.")],
    output: Output,
) -> None:
    """Write a trained variant's backbone alone, as pretrained weights for other variants."""
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.models.export import export_backbone as export

    export(read_record(Recipe, recipe).variant, weights, description, output)


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="Name of an archive in the table.")],
    folder: Annotated[Path, typer.Option(help="Folder that keeps it, as NAME.zip.")],
    table: Annotated[Path, typer.Option(help="Table of archives.")] = Path("config/downloads.yaml"),
) -> None:
    """Download an archive; the same command after an interruption continues."""
    from transpose.config.download import load_archive
    from transpose.data.download import fetch

    fetch(load_archive(name, table), folder / f"{name}.zip", report=lambda line: print(line, file=sys.stderr))


@app.command()
def unpack(
    archive: Annotated[Path, typer.Argument(help="A zip archive.")],
    output: Annotated[Path, typer.Option("--output", help="Folder to make; OUTPUT.manifest.json appears beside it.")],
) -> None:
    """Unpack an archive; what it holds cannot get out of the folder."""
    from transpose.data.archives import unpack as unpack_archive

    unpack_archive(archive, output)


@app.command()
def schema() -> None:
    """Print the JSON Schema of a study's configuration."""
    from transpose.config.study import Study

    print(json.dumps(Study.model_json_schema(), indent=2))


def main() -> None:
    """Run the command; bad input ends it with one line on standard error and status 1."""
    try:
        app()
    except InputError as error:
        sys.exit(f"transpose: {error}")
