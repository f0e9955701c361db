"""Verbs that make weights."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transpose.cli.app import app
from transpose.cli.options import (
    DatasetFile,
    Output,
    ProtocolFile,
    RecipeFile,
    ResultsFolder,
    StudyName,
    WeightsFile,
    Workers,
)
from transpose.errors import InputError

if TYPE_CHECKING:
    from transpose.training.distributed import Group


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
    workers: Workers = None,
    picture_cache_gb: Annotated[
        float | None, typer.Option(min=0, help="GB for decoded pictures; the recipe's if not given.")
    ] = None,
) -> None:
    """Train a variant, in as many processes as its recipe says; the same command after an interruption continues."""
    from transpose.clock import refuse_later_inputs
    from transpose.compute import choose_compute
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.config.study import Protocol
    from transpose.progress import TrainingProgress
    from transpose.tracking import LiveRun
    from transpose.training.data import TrainingData
    from transpose.training.distributed import check_devices, is_launched, joined
    from transpose.training.launch import launch
    from transpose.training.run import train_variant

    chosen = read_record(Recipe, recipe).loading_with(workers, picture_cache_gb)
    training = chosen.training
    weights = [Path(file) for file in (training.backbone_weights, training.initial_weights) if file is not None]
    refuse_later_inputs([recipe, dataset, protocol, train, validation, *weights])
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
