"""The `transpose` command: each verb is a thin shell over one public function."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transpose.errors import InputError

if TYPE_CHECKING:
    from transpose.training.distributed import Group

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

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
def convert_mpii(
    release: Annotated[Path, typer.Argument(help="MPII's mpii_human_pose_v1_u12_1.mat.")],
    pictures: Annotated[Path, typer.Argument(help="Folder of MPII's pictures.")],
    output: Annotated[Path, typer.Option("--output", help="Folder that gets train/, val/ and conversion.json.")],
    validation_list: Annotated[
        Path | None, typer.Option(help="Validation pictures: a name a line, or the customary valid.json.")
    ] = None,
    hold_out: Annotated[
        float | None, typer.Option(help="Without a list: share of the pictures that is drawn for validation.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the drawing.")] = 0,
) -> None:
    """Convert MPII Human Pose to COCO's format, with head sizes for PCKh."""
    from transpose.data.mpii import convert_mpii as convert
    from transpose.data.mpii_split import validation_source

    print(json.dumps(convert(release, pictures, validation_source(validation_list, hold_out, seed), output), indent=1))


@app.command()
def boxes(
    dataset: DatasetFile,
    split: Annotated[str, typer.Option()],
    source: Annotated[str, typer.Option(help="Name of a box source of the data set.")],
    annotations: AnnotationFile,
    output: Annotated[Path, typer.Option("--output", help="File to write; its .counts.json appears beside it.")],
    file: Annotated[Path | None, typer.Option(help="The source's detection file or model, if it is a URL's.")] = None,
) -> None:
    """Make person boxes in COCO's detection format, and a record of what was left out."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.data.box_counts import render_counts
    from transpose.data.box_sources import write_source_boxes
    from transpose.data.coco import load_annotations

    settings = read_record(Dataset, dataset)
    truth = load_annotations(annotations, settings.skeleton)
    counts = write_source_boxes(settings, split, source, truth, file, output)
    print(render_counts(counts), file=sys.stderr)


@app.command()
def evaluate_boxes(
    dataset: DatasetFile,
    annotations: AnnotationFile,
    boxes: Annotated[Path, typer.Option(help="Person boxes, at .../DATASET/SPLIT/BOXES.json.")],
    output: Output,
) -> None:
    """Evaluate person boxes as a detector's by COCO's AP; annotated persons without keypoints count too."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.evaluation.box_ap import write_box_metrics

    report = write_box_metrics(read_record(Dataset, dataset), annotations, boxes, output)
    print(f"{report.box_count:,} boxes, person AP {report.metrics['AP']:.3f}", file=sys.stderr)


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
    """Train a variant, in as many processes as its recipe says; the same command after an interruption continues."""
    from transpose.compute import choose_compute
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.config.study import Protocol
    from transpose.progress import TrainingProgress
    from transpose.tracking import LiveRun
    from transpose.training.checkpoint import CheckpointStore
    from transpose.training.data import TrainingData
    from transpose.training.distributed import check_devices, is_launched, joined
    from transpose.training.launch import launch
    from transpose.training.run import train_variant

    chosen = read_record(Recipe, recipe)
    training = chosen.training
    compute = choose_compute(training.device, training.precision, training.threads)
    if training.gpus > 1 and not is_launched():
        check_devices(training.gpus, compute)
        raise typer.Exit(launch(sys.argv[1:], training.gpus))
    settings = read_record(Dataset, dataset)
    data = TrainingData(train, validation, settings.skeleton, settings.evaluation)
    folder = results / "train" / chosen.name / f"seed{seed}"
    with (
        joined(training.gpus, compute) as group,
        told_by_leader(group, folder),
        LiveRun(results, study, chosen, seed) if group.leads else nullcontext() as live,
    ):
        progress = TrainingProgress(training.epochs, sys.stderr, live.epoch if live else lambda _: None)
        train_variant(chosen, seed, data, read_record(Protocol, protocol), folder, progress, group)
    # Not before everything has ended well: Snakemake deletes the outputs of a job that dies in its last second.
    if group.leads:
        CheckpointStore(folder).clear()


@contextmanager
def told_by_leader(group: "Group", folder: Path) -> Iterator[None]:
    """End the processes of a training with one status, after the leader alone has told in one line what it was."""
    from transpose.training.distributed import LostProcessError
    from transpose.training.interruption import Interrupted
    from transpose.training.loop import DivergedError

    try:
        yield
    except LostProcessError as error:
        if group.leads:
            raise InputError(folder, None, None, str(error)) from None
        raise typer.Exit(1) from None
    except InputError as error:
        status, line = 1, f"transpose: {error}"
    except DivergedError as error:
        status, line = 1, f"transpose: {InputError(folder, None, None, str(error))}"
    except Interrupted as stop:
        status, line = 128 + stop.signal_number, str(stop)
    else:
        return
    if group.leads:
        print(line, file=sys.stderr, flush=True)
    # The launcher ends the others as soon as one process has ended.
    group.wait()
    raise typer.Exit(status)


@app.command()
def predict(
    recipe: RecipeFile,
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    weights: WeightsFile,
    boxes: BoxFile,
    output: Output,
) -> None:
    """Predict the persons in boxes; writes COCO keypoint results."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.config.study import Protocol
    from transpose.evaluation.pipeline import predict_file

    settings = read_record(Dataset, dataset)
    predict_file(
        read_record(Recipe, recipe),
        weights,
        settings.skeleton,
        annotations,
        boxes,
        read_record(Protocol, protocol),
        output,
        suppress=settings.evaluation == "oks",
    )


@app.command()
def evaluate(
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    run: RunFile,
    boxes: Annotated[Path, typer.Option(help="Person boxes that were predicted on.")],
    predictions: Annotated[Path, typer.Option(help="COCO keypoint results.")],
    bootstrap: Annotated[int, typer.Option(min=1, help="Resamples over pictures.")],
    bootstrap_seed: Annotated[int, typer.Option(min=0)],
    output: Output,
) -> None:
    """Evaluate predictions by COCO OKS, checked by xtcocotools, or by PCKh, with a bootstrap interval."""
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
def ablate_protocol(
    recipe: RecipeFile,
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    run: RunFile,
    boxes: BoxFile,
    output: Output,
) -> None:
    """Evaluate a trained variant by every combination of flip test, decoder, suppression and score."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.config.study import Protocol
    from transpose.evaluation.protocol_ablation import write_protocol_ablation

    write_protocol_ablation(
        read_record(Recipe, recipe),
        run,
        read_record(Dataset, dataset),
        annotations,
        boxes,
        read_record(Protocol, protocol),
        output,
    )


@app.command()
def generalise(
    recipe: RecipeFile,
    protocol: ProtocolFile,
    dataset: DatasetFile,
    annotations: AnnotationFile,
    run: RunFile,
    boxes: BoxFile,
    settings: Annotated[Path, typer.Option(help="Resolved input sizes.")],
    bootstrap: Annotated[int, typer.Option(min=1, help="Resamples over pictures.")],
    bootstrap_seed: Annotated[int, typer.Option(min=0)],
    output: Annotated[Path, typer.Option("--output", help="Folder to make.")],
) -> None:
    """Evaluate a trained variant at input sizes that it was not trained at."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.config.resolution import InputSizes
    from transpose.config.study import Protocol
    from transpose.evaluation.generalise import write_resolutions
    from transpose.evaluation.report import Bootstrap

    write_resolutions(
        read_record(Recipe, recipe),
        run,
        read_record(Dataset, dataset),
        annotations,
        boxes,
        read_record(Protocol, protocol),
        read_record(InputSizes, settings),
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
    study: StudyFile,
    published: Annotated[Path, typer.Option(help="The paper's figures.")],
) -> None:
    """Write the comparison and ablation tables and the figures of a study."""
    from transpose.config.load import read_record
    from transpose.config.study import Study
    from transpose.reporting.study import write_study

    write_study(read_record(Study, study), published)


@app.command()
def compare_protocols(study: StudyFile) -> None:
    """Write the table of a study's protocol ablation."""
    from transpose.config.load import read_record
    from transpose.config.study import Study
    from transpose.reporting.protocol_ablation import write_protocol_table

    write_protocol_table(read_record(Study, study))


@app.command()
def compare_resolutions(study: StudyFile) -> None:
    """Write the table and the figures of a study's other input sizes."""
    from transpose.config.load import read_record
    from transpose.config.study import Study
    from transpose.reporting.resolutions import write_resolution_tables

    write_resolution_tables(read_record(Study, study))


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
def fetch(
    url: Annotated[str, typer.Argument(help="Address of a single file, such as detections or a detector's model.")],
    output: Output,
    sha256: Annotated[str | None, typer.Option(help="Digest that it must have; without one the first is kept.")] = None,
) -> None:
    """Download a file of unknown size; what is there already is only checked."""
    from transpose.data.web_file import fetch_url

    fetch_url(url, output, sha256, report=lambda line: print(line, file=sys.stderr))


@app.command()
def unpack(
    archive: Annotated[Path, typer.Argument(help="A zip archive.")],
    output: Annotated[Path, typer.Option("--output", help="Folder to make; OUTPUT.manifest.json appears beside it.")],
) -> None:
    """Unpack an archive; what it holds cannot get out of the folder."""
    from transpose.data.archives import unpack as unpack_archive

    unpack_archive(archive, output)


@app.command()
def arrange(
    dataset: DatasetFile,
    split: Annotated[str, typer.Option()],
    downloads: Annotated[Path, typer.Option(help="Folder of the downloaded archives.")],
    output: Annotated[Path, typer.Option(help="annotations.json of the split; pictures.json appears beside it.")],
    unpacked: Annotated[Path | None, typer.Option(help="Folder of the unpacked archives, if they are.")] = None,
) -> None:
    """Take one split out of downloaded archives."""
    from transpose.config.dataset import ArchivesSource, Dataset
    from transpose.config.load import read_record
    from transpose.data.archived_split import arrange_split

    source = read_record(Dataset, dataset).source
    if not isinstance(source, ArchivesSource) or split not in source.splits:
        raise InputError(dataset, None, "source", f"has no split {split!r} in archives")
    got = arrange_split(source.splits[split], downloads, unpacked, output)
    print(
        f"{split}: {got.images:,} pictures, {got.annotations:,} annotations;"
        f" {got.other_pictures:,} pictures beside them are not of this split",
        file=sys.stderr,
    )


@app.command()
def fetch_weights(
    name: Annotated[str, typer.Argument(help="Name of weights in the table.")],
    output: Annotated[Path, typer.Option("--output", help="NAME.safetensors; the checkpoint stays beside it.")],
    table: Annotated[Path, typer.Option(help="Table of released weights.")] = Path("config/weights.yaml"),
) -> None:
    """Download released weights and convert them; the first digest is recorded in pins/ beside the table."""
    from transpose.config.weights import load_released
    from transpose.models.released import fetch_released

    fetch_released(
        load_released(name, table),
        output.with_name(f"{name}.pth"),
        table.parent / "pins" / f"{name}.json",
        output,
        report=lambda line: print(line, file=sys.stderr),
    )


@app.command()
def adopt(
    recipe: RecipeFile,
    weights: WeightsFile,
    keypoints: Annotated[int, typer.Option(min=1)],
    output: Annotated[Path, typer.Option("--output", help="run.json; weights.safetensors appears beside it.")],
) -> None:
    """Take a released checkpoint in the place of a training."""
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.training.adopt import adopt_released

    adopt_released(read_record(Recipe, recipe), weights, keypoints, output.parent)


@app.command()
def submit(
    dataset: DatasetFile,
    annotations: AnnotationFile,
    predictions: Annotated[Path, typer.Option(help="COCO keypoint results on a test set.")],
    output: Annotated[Path, typer.Option("--output", help="Zip archive, named as the server asks.")],
) -> None:
    """Pack predictions as COCO's evaluation server takes them."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.evaluation.submission import write_submission

    persons = write_submission(predictions, annotations, read_record(Dataset, dataset).skeleton, output)
    print(f"{output}: {persons:,} persons", file=sys.stderr)


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
