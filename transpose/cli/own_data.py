"""Commands for data of one's own: describe a labelled folder, and train on it."""

from pathlib import Path
from typing import Annotated

import typer

from transpose.cli.app import DATA, OWN, app
from transpose.cli.options import Jobs
from transpose.cli.training import main_process_errors


@app.command("train", rich_help_panel=OWN, epilog="Example: transpose train mine.yaml --train train --validation val")
def train_on_dataset(
    dataset: Annotated[str, typer.Argument(help="Name of a data set in --config, or a data set's YAML file.")],
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Model to start from: folder of a training or name of a released checkpoint; default: the small"
            " model in the package.",
        ),
    ] = None,
    train: Annotated[
        str | None, typer.Option(metavar="SPLIT", help="Split to train on; default: train, or the only one.")
    ] = None,
    validation: Annotated[
        str | None, typer.Option(metavar="SPLIT", help="Split to validate on; default: hold out a fifth of the images.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", help="Run folder to write; default: results/fine_tuned/DATASET.")
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Most epochs to train; default: by the number of persons.")
    ] = None,
    config: Annotated[Path, typer.Option(help="Folder of variants and data sets.")] = Path("config"),
    resources: Annotated[Path, typer.Option(help="Folder of rendered and downloaded data.")] = Path("resources"),
    jobs: Jobs = 2,
) -> None:
    """Train a model on a data set of your own, from a trained model; resumable.

    Writes a run folder for `transpose predict --model`. Prints each epoch, and AP on the validation images before and
    after. The data set may have other keypoints than the model.
    """
    from transpose.config.load import find_dataset
    from transpose.training.distributed import ALONE
    from transpose.training.fine_tune import FineTuning, fine_tune, render_outcome

    name, found = find_dataset(dataset, config)
    folder = output or Path("results") / "fine_tuned" / name
    options = FineTuning(train, validation, epochs, resources, jobs)
    with main_process_errors(ALONE, folder):
        print(render_outcome(fine_tune(source, name, found, folder, options)))


@app.command(
    rich_help_panel=DATA, epilog="Example: transpose describe-data data/mine/train/annotations.json > mine.yaml"
)
def describe_data(
    annotations: Annotated[Path, typer.Argument(help="Annotation file in COCO's keypoint format.")],
) -> None:
    """Print a starting YAML file for a labelled folder.

    Layout and keypoints are read from the folder; mirrored pairs, OKS sigmas and the upper body are guessed from the
    keypoints' names. Read it before use.
    """
    from transpose.data.describe import describe_data as describe

    print(describe(annotations), end="")
