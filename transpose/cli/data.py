"""Commands that write data: records, images, boxes, downloads."""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transpose.cli.app import DATA, STUDY, app, step
from transpose.cli.options import (
    AnnotationFile,
    DatasetFile,
    Jobs,
    Output,
    ResultsFolder,
    SettingName,
    SplitName,
)
from transpose.errors import InputError

if TYPE_CHECKING:
    from transpose.config.dataset import SyntheticSource


@step.command()
def write_config(
    study: Annotated[Path, typer.Argument(help="YAML file of a study.")],
    config: Annotated[Path, typer.Option(help="Folder of variants and data sets.")] = Path("config"),
    output: Annotated[Path | None, typer.Option("--output", help="Results folder; default: the study's.")] = None,
) -> None:
    """Write the resolved configuration of a study.

    Writes records/ in the results folder: one JSON file for each variant, data set and block of settings.
    """
    from transpose.config.base import read_yaml
    from transpose.study.layout import ResultsLayout
    from transpose.study.plan import Plan

    plan = Plan.of_config(read_yaml(study), config, str(study))
    plan.write_records(plan.layout if output is None else ResultsLayout(output))


@app.command(rich_help_panel=STUDY, epilog="Example: transpose schema > study.schema.json")
def schema() -> None:
    """Print the JSON Schema of a study's YAML file."""
    from transpose.config.study import Study

    print(json.dumps(Study.model_json_schema(), indent=2))


@app.command(rich_help_panel=DATA, epilog="Example: transpose check-data config/datasets/mine.yaml --sheet sheet.png")
def check_data(
    dataset: Annotated[str, typer.Argument(help="Name of a data set in --config, or a data set's YAML file.")],
    split: Annotated[list[str] | None, typer.Option(help="Split to check; repeatable; default: all.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write what was found as JSON.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Draw some annotated persons of the first split as PNG.")] = None,
    config: Annotated[Path, typer.Option(help="Folder of variants and data sets.")] = Path("config"),
    resources: Annotated[Path, typer.Option(help="Folder of rendered and downloaded data.")] = Path("resources"),
    jobs: Jobs = 2,
) -> None:
    """Check a data set before anything is trained on it.

    Prints counts, derived fields, left-out records, and probable errors. Exits with status 1 if a split cannot be used.
    """
    from transpose.config.load import find_dataset
    from transpose.data.check import check_dataset
    from transpose.files import write_json
    from transpose.reporting.check_text import render_check
    from transpose.reporting.contact_sheet import draw_contact_sheet
    from transpose.study.data_files import split_files
    from transpose.study.layout import ResourcesLayout

    name, found = find_dataset(dataset, config)
    checked = check_dataset(found, split_files(name, found, ResourcesLayout(resources)), split, jobs)
    if json_file is not None:
        write_json(json_file, {name: found.to_json() for name, found in checked.items()})
    print("\n".join(render_check(name, found) for name, found in checked.items()))
    if sheet is not None:
        draw_contact_sheet(next(iter(checked.values())).split, found.skeleton, sheet)
    reasons = [f"split {name}: {found.reason}" for name, found in checked.items() if found.reason]
    if reasons:
        sys.exit(f"transpose: {dataset}: {'; '.join(reasons)}")


@step.command()
def synthesise(
    dataset: DatasetFile,
    split: SplitName,
    output: Annotated[Path, typer.Option(help="annotations.json of the split; images/ is written next to it.")],
    jobs: Jobs = 1,
) -> None:
    """Render a split of a synthetic data set.

    Writes annotations.json and images/ next to it.
    """
    # Rendering runs in processes of its own; more threads than cores only make them wait for each other.
    os.environ["OMP_NUM_THREADS"] = "1"
    from transpose.synthetic.dataset import synthesise as render

    render(_synthetic_source(dataset), split, output.parent, jobs)


@step.command()
def label_parts(
    dataset: DatasetFile,
    split: SplitName,
    annotations: AnnotationFile,
    output: Annotated[Path, typer.Option("--output", help="parts.npz of the split.")],
    jobs: Jobs = 1,
) -> None:
    """Label the body parts in a synthetic split.

    Writes parts.npz: for each pixel the visible person and body part.
    """
    # See synthesise.
    os.environ["OMP_NUM_THREADS"] = "1"
    from transpose.synthetic.part_labels import write_part_labels

    write_part_labels(_synthetic_source(dataset), split, annotations, jobs, output)


def _synthetic_source(dataset: Path) -> "SyntheticSource":
    from transpose.config.dataset import Dataset, SyntheticSource
    from transpose.config.load import read_record

    source = read_record(Dataset, dataset).source
    if not isinstance(source, SyntheticSource):
        raise InputError(f"is {source.kind}, not synthetic", file=dataset, field="source")
    return source


@app.command(
    rich_help_panel=DATA,
    epilog="Example: transpose convert-mpii mpii_human_pose_v1_u12_1.mat images --validation-list valid.json"
    " --output resources/mpii",
)
def convert_mpii(
    release: Annotated[Path, typer.Argument(help="mpii_human_pose_v1_u12_1.mat of MPII.")],
    images: Annotated[Path, typer.Argument(help="Folder of the MPII images.")],
    output: Annotated[Path, typer.Option("--output", help="Folder to write train/, val/ and conversion.json to.")],
    validation_list: Annotated[
        Path | None,
        typer.Option(help="Validation images: a text file with a name per line, or valid.json (Tompson et al.)."),
    ] = None,
    hold_out: Annotated[
        float | None, typer.Option(help="Without a list: random share of images for validation.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random share.")] = 0,
) -> None:
    """Convert MPII Human Pose to COCO's format.

    Writes train/ and val/ with annotations.json (head sizes for PCKh included) and a link to the images, and
    conversion.json with counts; prints the counts.
    """
    from transpose.data.mpii import convert_mpii as convert
    from transpose.data.mpii import validation_source

    print(json.dumps(convert(release, images, validation_source(validation_list, hold_out, seed), output), indent=1))


@step.command()
def download_archive(
    name: Annotated[str, typer.Argument(help="Name of an archive in the table.")],
    folder: Annotated[Path, typer.Option(help="Folder of the archive.")],
    table: Annotated[Path, typer.Option(help="Table of archives.")] = Path("config/tables/downloads.yaml"),
) -> None:
    """Download an archive; resumable.

    Writes FOLDER/NAME.zip and its proven digest, NAME.zip.sha256.json.
    """
    from transpose.config.download import load_archive
    from transpose.data.download import download

    download(load_archive(name, table), folder / f"{name}.zip", report=lambda line: print(line, file=sys.stderr))


@step.command()
def download_listed_file(
    name: Annotated[str, typer.Argument(help="Name of a file in the table.")],
    output: Output,
    table: Annotated[Path, typer.Option(help="Table of archives and files.")] = Path("config/tables/downloads.yaml"),
) -> None:
    """Download a file of the table; resumable.

    A file that is already there is checked and never replaced. Writes the proven digest, OUTPUT.sha256.json.
    """
    from transpose.config.download import load_file
    from transpose.data.download import download_unless_there

    download_unless_there(load_file(name, table), output, report=lambda line: print(line, file=sys.stderr))


@step.command()
def download_file(
    url: Annotated[str, typer.Argument(help="URL of a file, such as detections or a detector's model.")],
    output: Output,
    sha256: Annotated[
        str | None, typer.Option(help="Expected digest; without one the first digest is recorded.")
    ] = None,
) -> None:
    """Download a file, or check the one that is there."""
    from transpose.data.download import download_url

    download_url(url, output, sha256, report=lambda line: print(line, file=sys.stderr))


@step.command()
def unpack(
    archive: Annotated[Path, typer.Argument(help="A zip archive.")],
    output: Annotated[
        Path, typer.Option("--output", help="Folder to write; OUTPUT.manifest.json is written next to it.")
    ],
) -> None:
    """Extract a zip archive.

    Members that would be written outside of the folder are refused.
    """
    from transpose.data.archives import unpack as unpack_archive

    unpack_archive(archive, output)


@step.command()
def extract_split(
    dataset: DatasetFile,
    split: SplitName,
    downloads: Annotated[Path, typer.Option(help="Folder of the downloaded archives.")],
    output: Annotated[Path, typer.Option(help="annotations.json of the split.")],
    unpacked: Annotated[
        Path | None, typer.Option(help="Folder of the unpacked archives; omit to read images from the zip files.")
    ] = None,
) -> None:
    """Extract a split from downloaded archives.

    Writes annotations.json and, next to it, images.json, which says where the images are.
    """
    from transpose.config.dataset import ArchivesSource, Dataset
    from transpose.config.load import read_record
    from transpose.data.archives import extract_split

    source = read_record(Dataset, dataset).source
    if not isinstance(source, ArchivesSource) or split not in source.splits:
        raise InputError(f"has no split {split!r} in archives", file=dataset, field="source")
    got = extract_split(source.splits[split], downloads, unpacked, output)
    print(
        f"{split}: {got.images:,} images, {got.annotations:,} annotations;"
        f" {got.other_images:,} other images are not of this split",
        file=sys.stderr,
    )


@step.command()
def import_split(
    dataset: DatasetFile,
    split: SplitName,
    output: Annotated[Path, typer.Option(help="annotations.json to write.")],
    jobs: Jobs = 1,
) -> None:
    """Import and check a split in a user's folder.

    Writes annotations.json as plain COCO, check.json with what was found, and images.json with the images' location.
    """
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.data.import_split import import_split
    from transpose.reporting.check_text import render_split

    print(render_split(split, import_split(read_record(Dataset, dataset), split, jobs, output)), file=sys.stderr)


@step.command()
def check_split(
    dataset: DatasetFile,
    annotations: AnnotationFile,
    output: Annotated[Path, typer.Option("--output", help="JSON file to write.")],
) -> None:
    """Check the annotations of a split in plain COCO.

    Writes counts and probable errors. Images are not read.
    """
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.data.split_check import write_split_check
    from transpose.reporting.check_text import render_split

    check = write_split_check(annotations, read_record(Dataset, dataset).skeleton, output)
    print(render_split(str(annotations), check), file=sys.stderr)


@step.command()
def boxes(
    results: ResultsFolder,
    evaluation: SettingName,
    annotations: AnnotationFile,
    file: Annotated[
        Path | None, typer.Option(help="Local copy of a detection file or model that is configured by URL.")
    ] = None,
) -> None:
    """Write the person boxes of an evaluation.

    Writes boxes in COCO's detection format and a JSON file that counts what was left out.
    """
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
    """Evaluate person boxes by COCO's box AP.

    Annotated persons without keypoints count too, as in published detector APs.
    """
    from transpose.config.study import EvalSetting
    from transpose.evaluation.box_ap import write_box_metrics
    from transpose.study.layout import ResultsLayout

    report = write_box_metrics(ResultsLayout(results), EvalSetting.parse(evaluation), annotations)
    print(f"{report.box_count:,} boxes, person AP {report.metrics['AP']:.3f}", file=sys.stderr)


@step.command()
def download_weights(
    name: Annotated[str, typer.Argument(help="Name of weights in the table.")],
    output: Annotated[Path, typer.Option("--output", help="NAME.safetensors; the checkpoint is kept next to it.")],
    table: Annotated[Path, typer.Option(help="Table of released weights.")] = Path("config/tables/weights.yaml"),
) -> None:
    """Download and convert released weights.

    Writes NAME.safetensors. The first digest is recorded in pins/ next to the table and checked from then on.
    """
    from transpose.config.weights import load_released
    from transpose.models.released import download_released

    download_released(
        load_released(name, table),
        output.with_name(f"{name}.pth"),
        table.parent / "pins" / f"{name}.json",
        output,
        report=lambda line: print(line, file=sys.stderr),
    )
