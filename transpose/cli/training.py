"""Commands that write weights."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from transpose.cli.app import step
from transpose.cli.options import Output, RecipeFile, ResultsFolder, RunName, WeightsFile, Workers
from transpose.errors import InputError

if TYPE_CHECKING:
    from transpose.training.distributed import ProcessGroup


@step.command()
def train(
    run: RunName,
    results: ResultsFolder,
    train: Annotated[Path, typer.Option(help="Annotations to train on.")],
    validation: Annotated[Path, typer.Option(help="Annotations to validate on.")],
    workers: Workers = None,
    image_cache_gb: Annotated[
        float | None, typer.Option(min=0, help="Size of the disk cache of decoded images; default: the recipe's.")
    ] = None,
    slurm_tasks: Annotated[
        int, typer.Option(min=0, help="Start the processes as tasks of this Slurm job, also on several nodes; 0: here.")
    ] = 0,
) -> None:
    """Train a variant; resumable.

    Starts as many processes as the recipe's `gpus`, or joins those that torchrun or srun started. Writes weights,
    history and run.json into train/VARIANT/seedN.
    A training that has finished with the same values and inputs does not run again.
    """
    from transpose.clock import refuse_later_inputs
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.config.study import EvalProtocol, Study
    from transpose.progress import TrainingProgress
    from transpose.study.destination import TrackingDestination
    from transpose.study.layout import RecordKind, ResultsLayout, RunId
    from transpose.tracking import LiveLogger
    from transpose.training.data import TrainingData, identity_of_training
    from transpose.training.finished import restore_outputs

    layout, chosen = ResultsLayout(results), RunId.parse(run)
    study = read_record(Study, layout.record(RecordKind.STUDY))
    recipe = read_record(Recipe, layout.record(RecordKind.RECIPE, chosen.variant))
    recipe = recipe.with_loader_settings(workers, image_cache_gb)
    training = recipe.training
    weights = [Path(file) for file in (training.backbone_weights, training.initial_weights) if file is not None]
    refuse_later_inputs([train, validation, *weights])
    dataset = read_record(Dataset, layout.record(RecordKind.DATASET, study.train.dataset))
    protocol = read_record(EvalProtocol, layout.record(RecordKind.PROTOCOL))
    destination = TrackingDestination.of_results(layout)
    data = TrainingData(train, validation, dataset.skeleton, dataset.evaluation)
    files, identity = layout.train(chosen), identity_of_training(recipe, int(chosen.seed), data, protocol)
    folder = files.folder
    if restore_outputs(files, identity):
        print(f"{folder}: already trained with these values and inputs; delete it to train again", file=sys.stderr)
        return
    # PyTorch is imported only now.
    from transpose.device import resolve_device
    from transpose.machine import share_threads
    from transpose.training.distributed import check_devices, joined
    from transpose.training.launch import launch
    from transpose.training.placement import Placement, replace_by_srun
    from transpose.training.run import train_variant

    context = resolve_device(training.device, training.dtype, training.threads)
    if training.gpus > 1 and Placement.of_environment() is None:
        threads = training.threads or share_threads(training.gpus)
        if slurm_tasks:
            command = [sys.executable, "-m", "transpose", *sys.argv[1:]]
            replace_by_srun(command, slurm_tasks, threads + training.workers)
        check_devices(training.gpus, context)
        if status := launch(sys.argv[1:], training.gpus):
            raise typer.Exit(status)
        return
    with (
        joined(training.gpus, context) as group,
        main_process_errors(group, folder),
        LiveLogger(results, destination, recipe, int(chosen.seed)) if group.is_main else nullcontext() as live,
    ):
        progress = TrainingProgress(training.epochs, sys.stderr, live.epoch if live else lambda _: None)
        train_variant(recipe, int(chosen.seed), data, protocol, folder, progress, group)


@contextmanager
def main_process_errors(group: "ProcessGroup", folder: Path) -> Iterator[None]:
    """End all processes of a training with one status; the main process prints one line that says why."""
    from transpose.training.distributed import LostProcessError
    from transpose.training.interruption import Interrupted
    from transpose.training.loop import DivergedError

    try:
        yield
    except LostProcessError as error:
        if group.rank == error.reporter:
            raise InputError(str(error), file=folder) from None
        raise typer.Exit(1) from None
    except InputError as error:
        status, line = 1, f"transpose: {error}"
    except DivergedError as error:
        status, line = 1, f"transpose: {InputError(str(error), file=folder)}"
    except Interrupted as stop:
        status, line = 128 + stop.signal_number, str(stop)
    else:
        return
    # The terminal may have been closed.
    if group.is_main:
        with suppress(OSError):
            print(line, file=sys.stderr, flush=True)
    # The launcher ends all processes as soon as one has ended.
    group.wait()
    raise typer.Exit(status)


@step.command()
def import_checkpoint(
    variant: Annotated[str, typer.Argument(help="Variant of the study.")],
    results: ResultsFolder,
    weights: WeightsFile,
) -> None:
    """Use a released checkpoint as a training."""
    from transpose.config.dataset import Dataset
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.config.study import EvalProtocol, Study
    from transpose.study.layout import RecordKind, ResultsLayout, RunId
    from transpose.training.import_checkpoint import import_checkpoint

    layout = ResultsLayout(results)
    study = read_record(Study, layout.record(RecordKind.STUDY))
    dataset = read_record(Dataset, layout.record(RecordKind.DATASET, study.train.dataset))
    import_checkpoint(
        read_record(Recipe, layout.record(RecordKind.RECIPE, variant)),
        weights,
        dataset.skeleton,
        dataset.evaluation,
        read_record(EvalProtocol, layout.record(RecordKind.PROTOCOL)),
        layout.train(RunId(variant, 0)).folder,
    )


@step.command()
def export_backbone(
    recipe: RecipeFile,
    weights: WeightsFile,
    description: Annotated[str, typer.Option(help="Name of these weights in tables.")],
    output: Output,
) -> None:
    """Write the backbone of trained weights.

    Other variants can start from it (`backbone_weights`).
    """
    from transpose.config.load import read_record
    from transpose.config.recipe import Recipe
    from transpose.models.weights import export_backbone as export

    export(read_record(Recipe, recipe).variant, weights, description, output)
