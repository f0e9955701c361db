"""Fine-tune a trained model on a small labelled data set, with other keypoints if needed."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from transpose.config.base import parse
from transpose.config.dataset import Accuracy, Dataset, accuracy_of
from transpose.config.recipe import Recipe
from transpose.config.training import OneCycleSchedule, Training
from transpose.data.coco import load_annotations, training_instances
from transpose.device import resolve_device
from transpose.files import read_json_lines
from transpose.model_sources import load
from transpose.pose_model import PoseModel
from transpose.progress import TrainingProgress
from transpose.study.layout import ResourcesLayout, RunFolder
from transpose.training.data import TrainingData
from transpose.training.distributed import ALONE
from transpose.training.fine_tune_data import Splits
from transpose.training.fine_tune_start import write_start
from transpose.training.inputs import first_model
from transpose.training.interruption import StopRequest
from transpose.training.run import train_variant
from transpose.training.validation import validator

SEED = 0
BATCH_SIZE = 16
PEAK_RATE = 2e-3
PERSONS_SEEN = 3000
"""Crops of the default number of epochs: a hundred persons thirty times."""
FEWEST_EPOCHS, MOST_EPOCHS = 10, 60
PATIENCE_SHARE = 0.4
"""Share of the epochs after which a training without a better validation ends."""


@dataclass(frozen=True)
class FineTuned:
    """A fine-tuned model, and its accuracy on the validation data."""

    folder: Path
    """Run folder, which `transpose.load` and `transpose predict --model` take."""
    metric: Accuracy
    before: float
    """Of the starting weights, from 0 to 1."""
    after: float
    """Of the best epoch, from 0 to 1."""
    best_epoch: int
    """Counted from 1."""
    epochs: int
    """Epochs that were trained."""


@dataclass(frozen=True)
class FineTuning:
    """Options of `fine_tune`."""

    train: str | None = None
    """Split to train on; None takes `train`, or the only split."""
    validation: str | None = None
    """Split to validate on; None holds out a fifth of the images of the split to train on."""
    epochs: int | None = None
    """None chooses by the number of persons."""
    resources: Path = Path("resources")
    """Folder of rendered and downloaded data."""
    jobs: int = 2
    """Images read in parallel when a folder is imported."""
    stream: TextIO = field(default_factory=lambda: sys.stderr)
    """Gets the progress."""


def fine_tune(
    source: Path | str | None, name: str, dataset: Dataset, folder: Path, options: FineTuning | None = None
) -> FineTuned:
    """Fine-tune a model on a data set, and write a run folder; the same call continues an interrupted training.

    The last layer is changed to the data set's keypoints; those that the model already predicts keep their weights. The
    training ends early when the validation stays without gain, and the best epoch's weights are kept. The data that
    were imported or held out are in `folder`/data.

    Args:
        source: model to start from, as `transpose.load` takes it.
        name: of the data set.

    Raises:
        InputError: the model or the data are missing or wrong, no person is labelled, or another process uses the
            folder.
        Interrupted: a stop signal arrived.
        DivergedError: loss or weights are not finite.
    """
    options = options or FineTuning()
    report = _printer(options.stream)
    model = load(source)
    splits = Splits(name, dataset, folder / "data", ResourcesLayout(options.resources), options.jobs)
    data = splits.prepare(options.train, options.validation, report)
    start = folder / "start.safetensors"
    if new := write_start(model, data.skeleton, start):
        report(f"keypoints that {model.recipe.name} does not have, learned from the start: {', '.join(new)}")
    epochs = options.epochs or default_epochs(_persons(data))
    recipe = fine_tuning_recipe(model.recipe, epochs, start)
    metric = accuracy_of(data.evaluation)
    before = _starting_accuracy(recipe, data, model, folder)
    report(f"validation {metric} before: {before:.3f}; training for up to {epochs} epochs")
    progress = TrainingProgress(epochs, options.stream, lambda _: None)
    record = train_variant(
        recipe, SEED, data, model.protocol, folder, progress, patience=max(1, round(PATIENCE_SHARE * epochs))
    )
    assert record.training is not None
    trained = len(read_json_lines(RunFolder(folder).history))
    best = record.training.best_epoch + 1
    return FineTuned(folder, metric, before, record.training.best_value, best, trained)


def default_epochs(persons: int) -> int:
    """Number of epochs for a number of persons to train on: fewer for more persons."""
    return min(MOST_EPOCHS, max(FEWEST_EPOCHS, round(PERSONS_SEEN / persons)))


def fine_tuning_recipe(recipe: Recipe, epochs: int, start: Path) -> Recipe:
    """Return the recipe that continues a model's own on few persons.

    Heatmap sigma, augmentation, dropout and precision stay as the model was trained; the threads are those that the
    process is given.
    """
    values = recipe.training.model_dump() | {
        "source": "trained",
        "epochs": epochs,
        "batch_size": BATCH_SIZE,
        "accumulate_grad_batches": 1,
        "sync_batch_norm": False,
        "compile": False,
        "gpus": 1,
        "threads": None,
        "schedule": OneCycleSchedule(kind="one_cycle", peak=PEAK_RATE).model_dump(),
        "linear_scaling": False,
        "backbone_weights": None,
        "initial_weights": str(start),
        "pretrained_rate_factor": 1.0,
        "validation_interval": 1,
    }
    # Neither the published result nor the released checkpoint is of this model.
    variant = recipe.variant.model_copy(update={"published": None, "released": None})
    return Recipe(name=recipe.name, variant=variant, training=parse(Training, values, "the fine-tuning"))


def render_outcome(outcome: FineTuned) -> str:
    """Return the outcome and how to use the model, as lines of text."""
    return "\n".join(
        (
            f"{outcome.metric} on the validation data: {outcome.before:.3f} before, {outcome.after:.3f} after"
            f" (epoch {outcome.best_epoch} of {outcome.epochs} trained)",
            f"Use it:  transpose predict photo.jpg --box X,Y,WIDTH,HEIGHT --model {outcome.folder}",
            f"         transpose.load({str(outcome.folder)!r})",
        )
    )


def _starting_accuracy(recipe: Recipe, data: TrainingData, model: PoseModel, folder: Path) -> float:
    """Return the validation's metric of the starting weights."""
    training = recipe.training
    context = resolve_device(training.device, training.dtype, training.threads)
    network = context.to_device(first_model(recipe, data.skeleton)[0]).eval()
    validate = validator(recipe, data, model.protocol, context, folder, ALONE)
    # Nothing needs to be saved here, so a stop signal may end the process as usual.
    return validate(network, StopRequest())[accuracy_of(data.evaluation)]


def _persons(data: TrainingData) -> int:
    return len(training_instances(load_annotations(data.train, data.skeleton)))


def _printer(stream: TextIO) -> Callable[[str], None]:
    return lambda line: print(line, file=stream, flush=True)
