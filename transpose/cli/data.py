"""Verbs that make data: records, images, boxes, downloads."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from transpose.cli.app import app, step
from transpose.cli.options import AnnotationFile, DatasetFile, Output, ResultsFolder, SettingName
from transpose.errors import InputError


@step.command()
def write_config(
    study: Annotated[Path, typer.Argument(help="A study's YAML file.")],
    config: Annotated[Path, typer.Option(help="Folder of variants and data sets.")] = Path("config"),
    output: Annotated[Path | None, typer.Option("--output", help="Results folder; the study's if not given.")] = None,
) -> None:
    """Write a study's resolved configuration, one JSON file for each variant, data set and block of settings."""
    from transpose.config.base import read_yaml
    from transpose.study.layout import ResultsLayout
    from transpose.study.plan import Plan

    plan = Plan.of_config(read_yaml(study), config, str(study))
    plan.write_records(plan.layout if output is None else ResultsLayout(output))


@app.command()
def schema() -> None:
    """Print the JSON Schema of a study's configuration."""
    from transpose.config.study import Study

    print(json.dumps(Study.model_json_schema(), indent=2))


@step.command()
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


@step.command()
def label_parts(
    dataset: DatasetFile,
    split: Annotated[str, typer.Option()],
    annotations: AnnotationFile,
    output: Annotated[Path, typer.Option("--output", help="parts.npz of the split.")],
    jobs: Annotated[int, typer.Option(min=1)] = 1,
) -> None:
    """Label each pixel of a synthetic split with the person and the body part that is seen there."""
    # See synthesise.
    os.environ["OMP_NUM_THREADS"] = "1"
    from transpose.config.dataset import Dataset, SyntheticSource
    from transpose.config.load import read_record
    from transpose.data.part_labels import write_part_labels

    source = read_record(Dataset, dataset).source
    if not isinstance(source, SyntheticSource):
        raise InputError(dataset, None, "source", f"is {source.kind}, not synthetic")
    write_part_labels(source, split, annotations, jobs, output)


@app.command()
def convert_mpii(
    release: Annotated[Path, typer.Argument(help="MPII's mpii_human_pose_v1_u12_1.mat.")],
    images: Annotated[Path, typer.Argument(help="Folder of MPII's images.")],
    output: Annotated[Path, typer.Option("--output", help="Folder that gets train/, val/ and conversion.json.")],
    validation_list: Annotated[
        Path | None, typer.Option(help="Validation images: a name a line, or the customary valid.json.")
    ] = None,
    hold_out: Annotated[
        float | None, typer.Option(help="Without a list: share of the images that is drawn for validation.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the drawing.")] = 0,
) -> None:
    """Convert MPII Human Pose to COCO's format, with head sizes for PCKh."""
    from transpose.data.mpii import convert_mpii as convert
    from transpose.data.mpii_split import validation_source

    print(json.dumps(convert(release, images, validation_source(validation_list, hold_out, seed), output), indent=1))


@step.command()
def download_archive(
    name: Annotated[str, typer.Argument(help="Name of an archive in the table.")],
    folder: Annotated[Path, typer.Option(help="Folder that keeps it, as NAME.zip.")],
    table: Annotated[Path, typer.Option(help="Table of archives.")] = Path("config/downloads.yaml"),
) -> None:
    """Download an archive; the same command after an interruption continues."""
    from transpose.config.download import load_archive
    from transpose.data.download import download

    download(load_archive(name, table), folder / f"{name}.zip", report=lambda line: print(line, file=sys.stderr))


@step.command()
def download_file(
    url: Annotated[str, typer.Argument(help="Address of a single file, such as detections or a detector's model.")],
    output: Output,
    sha256: Annotated[str | None, typer.Option(help="Digest that it must have; without one the first is kept.")] = None,
) -> None:
    """Download a file of unknown size; what is there already is only checked."""
    from transpose.data.web_file import download_url

    download_url(url, output, sha256, report=lambda line: print(line, file=sys.stderr))


@step.command()
def unpack(
    archive: Annotated[Path, typer.Argument(help="A zip archive.")],
    output: Annotated[Path, typer.Option("--output", help="Folder to make; OUTPUT.manifest.json appears beside it.")],
) -> None:
    """Unpack an archive; what it holds cannot get out of the folder."""
    from transpose.data.archives import unpack as unpack_archive

    unpack_archive(archive, output)


@step.command()
def extract_split(
    dataset: DatasetFile,
    split: Annotated[str, typer.Option()],
    downloads: Annotated[Path, typer.Option(help="Folder of the downloaded archives.")],
    output: Annotated[Path, typer.Option(help="annotations.json of the split; images.json appears beside it.")],
    unpacked: Annotated[Path | None, typer.Option(help="Folder of the unpacked archives, if they are.")] = None,
) -> None:
    """Take one split out of downloaded archives."""
    from transpose.config.dataset import ArchivesSource, Dataset
    from transpose.config.load import read_record
    from transpose.data.archived_split import extract_split

    source = read_record(Dataset, dataset).source
    if not isinstance(source, ArchivesSource) or split not in source.splits:
        raise InputError(dataset, None, "source", f"has no split {split!r} in archives")
    got = extract_split(source.splits[split], downloads, unpacked, output)
    print(
        f"{split}: {got.images:,} images, {got.annotations:,} annotations;"
        f" {got.other_images:,} images beside them are not of this split",
        file=sys.stderr,
    )


@step.command()
def drop_unreadable_images(
    dataset: DatasetFile,
    annotations: AnnotationFile,
    output: Annotated[Path, typer.Option(help="annotations.json to write; broken.json appears beside it.")],
    jobs: Annotated[int, typer.Option(min=1, help="Images that are decoded at a time.")] = 1,
) -> None:
    """Leave images that cannot be read out of a split, with their people."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.data.unreadable_images import drop_unreadable_images

    broken = drop_unreadable_images(annotations, read_record(Dataset, dataset).skeleton, jobs, output)
    print(f"{len(broken):,} unreadable images left out", file=sys.stderr)
    for image in broken:
        print(f"{image.file_name}: {image.problem}", file=sys.stderr)


@step.command()
def boxes(
    results: ResultsFolder,
    evaluation: SettingName,
    annotations: AnnotationFile,
    file: Annotated[Path | None, typer.Option(help="The source's detection file or model, if it is a URL's.")] = None,
) -> None:
    """Make person boxes in COCO's detection format, and count what was left out."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.study import EvalSetting
    from transpose.data.box_counts import render_counts
    from transpose.data.box_sources import write_source_boxes
    from transpose.data.coco import load_annotations
    from transpose.study.layout import RecordKind, ResultsLayout

    layout, setting = ResultsLayout(results), EvalSetting.parse(evaluation)
    dataset = read_record(Dataset, layout.record(RecordKind.DATASET, setting.dataset))
    truth = load_annotations(annotations, dataset.skeleton)
    counts = write_source_boxes(
        dataset, setting.split, setting.boxes, truth, file, layout.boxes(setting), layout.box_counts(setting)
    )
    print(render_counts(counts), file=sys.stderr)


@step.command()
def evaluate_boxes(results: ResultsFolder, evaluation: SettingName, annotations: AnnotationFile) -> None:
    """Evaluate person boxes like a detector's by COCO's AP; annotated persons without keypoints count too."""
    from transpose.config.study import EvalSetting
    from transpose.evaluation.box_ap import write_box_metrics
    from transpose.study.layout import ResultsLayout

    report = write_box_metrics(ResultsLayout(results), EvalSetting.parse(evaluation), annotations)
    print(f"{report.box_count:,} boxes, person AP {report.metrics['AP']:.3f}", file=sys.stderr)


@step.command()
def download_weights(
    name: Annotated[str, typer.Argument(help="Name of weights in the table.")],
    output: Annotated[Path, typer.Option("--output", help="NAME.safetensors; the checkpoint stays beside it.")],
    table: Annotated[Path, typer.Option(help="Table of released weights.")] = Path("config/weights.yaml"),
) -> None:
    """Download released weights and convert them; the first digest is recorded in pins/ beside the table."""
    from transpose.config.weights import load_released
    from transpose.models.released import download_released

    download_released(
        load_released(name, table),
        output.with_name(f"{name}.pth"),
        table.parent / "pins" / f"{name}.json",
        output,
        report=lambda line: print(line, file=sys.stderr),
    )
