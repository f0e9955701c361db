"""Commands that evaluate and compare keypoint results of any tool."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transpose.cli.app import OWN, app
from transpose.errors import InputError

if TYPE_CHECKING:
    from transpose.evaluation.external_annotations import AnnotatedKeypoints

AnnotationsOption = Annotated[Path, typer.Option("--annotations", help="Annotation file of any tool.")]
DatasetOption = Annotated[
    str | None,
    typer.Option(help="Data set with skeleton and categories: name, or YAML file; default: COCO's keypoints."),
]
CategoryOption = Annotated[
    list[str] | None, typer.Option(help="Id or name of persons in RESULTS; repeatable; default: as annotated.")
]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write all figures as JSON.")]
SamplesOption = Annotated[int, typer.Option(min=1, help="Resamples over images for the interval of AP.")]
ConfigOption = Annotated[Path, typer.Option(help="Folder of variants and data sets.")]


@app.command(
    "evaluate",
    rich_help_panel=OWN,
    epilog="Example: transpose evaluate results.json --annotations person_keypoints_val2017.json",
)
def evaluate_file(
    results: Annotated[Path, typer.Argument(help="COCO keypoint results of any tool.")],
    annotations: AnnotationsOption,
    dataset: DatasetOption = None,
    category: CategoryOption = None,
    subset: Annotated[bool, typer.Option("--subset", help="Evaluate only images with a prediction.")] = False,
    json_file: JsonOption = None,
    figure: Annotated[Path | None, typer.Option(help="Write reliability diagrams as PNG.")] = None,
    samples: SamplesOption = 1000,
    config: ConfigOption = Path("config"),
) -> None:
    """Evaluate keypoint results of any tool by COCO's OKS.

    Needs no images. Prints the ten COCO figures, an interval of AP, the reference evaluators that agreed, what was
    left out, all types of errors with the AP that each costs, and the calibration of the scores.
    """
    from transpose.config.bootstrap import Bootstrap
    from transpose.evaluation.external_evaluation import evaluate_results
    from transpose.files import write_json
    from transpose.reporting.error_text import render_calibration, render_errors
    from transpose.reporting.evaluation_text import render_evaluation

    bootstrap = Bootstrap(samples=samples, seed=0)
    of = annotated_keypoints(dataset, config)
    report = evaluate_results(results, annotations, of, bootstrap, chosen_category(category), subset)
    if json_file is not None:
        write_json(json_file, report.model_dump(mode="json"))
    if figure is not None:
        from transpose.reporting.figure_style import save
        from transpose.reporting.reliability_figure import reliability_figure

        save(reliability_figure({results.stem: report.calibration}), figure)
    print(render_evaluation(report))
    print(render_errors(report.errors))
    print(render_calibration(report.calibration))


@app.command(
    "compare",
    rich_help_panel=OWN,
    epilog="Example: transpose compare a.json b.json --annotations person_keypoints_val2017.json",
)
def compare_files(
    first: Annotated[Path, typer.Argument(metavar="A", help="COCO keypoint results of any tool.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Results on the same images.")],
    annotations: AnnotationsOption,
    dataset: DatasetOption = None,
    category: CategoryOption = None,
    also_a: Annotated[
        list[Path] | None, typer.Option(help="Another training of A, with its --also-b; repeatable.")
    ] = None,
    also_b: Annotated[list[Path] | None, typer.Option(help="Another training of B; repeatable.")] = None,
    subset: Annotated[bool, typer.Option("--subset", help="Evaluate only images with predictions in all.")] = False,
    json_file: JsonOption = None,
    samples: SamplesOption = 1000,
    config: ConfigOption = Path("config"),
) -> None:
    """Compare two keypoint results files on the same annotations.

    Prints the differences in AP, error types and calibration with paired intervals, the images and persons
    that decide them, and how many images or trainings would show a difference of 0.5 AP.
    """
    from transpose.config.bootstrap import Bootstrap
    from transpose.evaluation.results_comparison import compare_results
    from transpose.files import write_json
    from transpose.reporting.comparison_text import render_comparison

    bootstrap = Bootstrap(samples=samples, seed=0)
    of = annotated_keypoints(dataset, config)
    if len(also_a or []) != len(also_b or []):
        raise InputError("must be as many as those of --also-b", file="--also-a")
    more = list(zip(also_a or [], also_b or [], strict=True))
    found = compare_results((first, second), annotations, of, bootstrap, chosen_category(category), subset, more)
    if json_file is not None:
        write_json(json_file, found.model_dump(mode="json"))
    print(render_comparison(found))


@app.command(
    "browse-errors",
    rich_help_panel=OWN,
    epilog="Example: transpose browse-errors a.json b.json --annotations gt.json --output errors.html",
)
def browse_errors(
    results: Annotated[list[Path], typer.Argument(metavar="RESULTS...", help="COCO keypoint results of any tool.")],
    annotations: AnnotationsOption,
    output: Annotated[Path, typer.Option(help="HTML file to write.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images; default: images/ next to the annotations.")
    ] = None,
    dataset: DatasetOption = None,
    category: CategoryOption = None,
    cases: Annotated[int, typer.Option(min=1, help="Persons or predictions of each class, for each file.")] = 20,
    config: ConfigOption = Path("config"),
) -> None:
    """Write a page with the worst and best predictions.

    With several files, each is a model that can be shown next to another. A large page has its images in a
    folder next to it.
    """
    from transpose.reporting.results_errors import write_results_browser

    of = annotated_keypoints(dataset, config)
    count = write_results_browser(results, annotations, of, output, images, chosen_category(category), cases)
    print(f"{output}: {count} persons and predictions")


def annotated_keypoints(dataset: str | None, config: Path) -> "AnnotatedKeypoints":
    """Return what is annotated in a data set that is given by name or file; COCO's keypoints without one.

    Raises:
        InputError: the data set is not known, or is not evaluated by OKS.
    """
    from transpose.config.load import find_dataset
    from transpose.evaluation.external_annotations import AnnotatedKeypoints

    if dataset is None:
        return AnnotatedKeypoints()
    found = find_dataset(dataset, config)[1]
    if found.evaluation != "oks":
        raise InputError(
            f"is {found.evaluation}; only OKS can be computed", file="--dataset", record=dataset, field="evaluation"
        )
    return AnnotatedKeypoints(found.skeleton, found.category, found.keypoint_fields)


def chosen_category(category: list[str] | None) -> list[int | str] | None:
    """Return category ids and names from the command line."""
    return [int(name) if name.isdecimal() else name for name in category] if category else None
