"""Training loop that resumes at any step with results identical to an uninterrupted run."""

import math
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from transpose.config.dataset import Accuracy
from transpose.config.training import Training
from transpose.data.loader import TrainingBatch, TrainingSamples, training_batches
from transpose.device import DeviceContext
from transpose.models.transpose import TransPose
from transpose.models.variants import training_mode
from transpose.replay import graph_capture
from transpose.training.checkpoint import CheckpointStore, threads_of_checkpoint
from transpose.training.distributed import ProcessGroup
from transpose.training.interruption import Interrupted, StopRequest
from transpose.training.optimiser import build_optimizer, load_optimizer_state, set_learning_rate
from transpose.training.schedule import learning_rate
from transpose.training.step import TrainingStep

CHECKPOINT_SECONDS = 300.0
"""Checkpoint interval within an epoch, in seconds."""


class DivergedError(Exception):
    """The loss of a batch is not finite, or the weights after it are not."""

    def __init__(self, epoch: int, step: int, annotation_ids: list[int], what: str = "the loss is") -> None:
        self.epoch, self.step, self.annotation_ids, self.what = epoch, step, annotation_ids, what
        super().__init__(epoch, step, annotation_ids, what)

    def __str__(self) -> str:
        persons = ", ".join(map(str, self.annotation_ids))
        place = f"epoch {self.epoch} step {self.step}"
        return f"{self.what} not finite at {place}; annotation ids of the batch: {persons}"


class Observer(Protocol):
    """Callbacks for the progress of a training."""

    def step(self, epoch: int, step: int, steps: int, loss: float) -> None:
        """Called after a step; `steps` is the number of steps in an epoch."""
        ...

    def epoch(self, record: dict[str, Any]) -> None:
        """Called after an epoch; `record` is its line of the history."""
        ...


@dataclass
class Progress:
    """Progress of a run; a resumed run needs it and the states of model and optimiser."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    seen: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = -1
    best_value: float = -math.inf
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    code: list[str] = field(default_factory=list)
    """Fingerprints of the training code; several if the code changed before the run was resumed."""
    threads: list[int] = field(default_factory=list)
    """CPU threads of each process; several if the run was resumed with others."""


@dataclass(frozen=True)
class _UnreadLoss:
    """The loss of a step that the device may still compute."""

    step: int
    """Counted from 0."""
    index: np.ndarray
    """[B] int64: indices of this process's persons."""
    persons: int
    """Persons of all processes."""
    read: Callable[[], float]


@dataclass(eq=False)
class TrainingRun:
    """Training of one model, in one process or a group.

    Every random number is keyed by (seed, epoch, step, process) or by (seed, epoch, sample), never by earlier draws. On
    a CPU, a run resumed from any checkpoint therefore repeats the uninterrupted run exactly, for a fixed thread count
    and number of processes. On a GPU, kernels add up in any order.
    """

    model: TransPose
    samples: TrainingSamples
    training: Training
    seed: int
    context: DeviceContext
    store: CheckpointStore
    identity: dict[str, Any]
    """Everything that determines the weights (`TrainingIdentity`) as JSON values; checkpoints contain it."""
    validate: Callable[[TransPose, StopRequest], dict[str, float]]
    """Returns metrics of the model on the validation set; raises Interrupted after a stop request."""
    group: ProcessGroup
    """Processes that share each batch; only the main one writes checkpoints and calls the observer."""
    metric: Accuracy = "AP"
    """The metric that chooses the best weights."""
    patience: int | None = None
    """Epochs without a better validation after which the training ends; None trains to the last epoch."""
    new_tensors: Collection[str] = ()
    """Official names of tensors that were not loaded from the fine-tuned weights."""

    def __post_init__(self) -> None:
        """Move the model to its device and resume from the store's checkpoint, which is of this training or absent."""
        # On CUDA, convolutions are chosen by a measurement: a training repeats one size many times.
        torch.backends.cudnn.benchmark = True
        self.model = self.context.to_device(self.model)
        self.steps = math.ceil(len(self.samples) / self.training.global_batch)
        self.optimiser = build_optimizer(self.model, self.training, self.context, self.new_tensors)
        size, skeleton = self.samples.heatmap_size, self.samples.skeleton
        self._step = TrainingStep(
            self.model,
            size,
            skeleton,
            self.training,
            self.context,
            self.optimiser,
            self.group,
            graph_capture(self.context),
        )
        self._unread: _UnreadLoss | None = None
        self.progress = Progress()
        self._resume()

    @property
    def is_finished(self) -> bool:
        """Whether no epoch is left to train."""
        progress = self.progress
        has_stalled = self.patience is not None and progress.epoch - 1 - self._last_gain() >= self.patience
        return has_stalled or progress.epoch >= self.training.epochs

    def _last_gain(self) -> int:
        """Return the first epoch with the best value, -1 before any: an equal value is no gain for the patience."""
        for record in self.progress.history:
            if record["validation"] is not None and record["validation"][self.metric] == self.progress.best_value:
                return record["epoch"]
        return -1

    def run(self, observer: Observer) -> Progress:
        """Train to the last epoch, or until the patience is used up.

        Raises:
            Interrupted: SIGTERM, SIGINT or SIGHUP arrived; the checkpoint is written.
            DivergedError: loss or weights are not finite; the last checkpoint is older.
            InputError: an image is broken, memory is full, or the checkpoint cannot be written.
            RuntimeError: a data loading process was killed; see `lost_worker`.
        """
        with StopRequest() as stop:
            while not self.is_finished:
                self._train_epoch(observer, stop)
                self._finish_epoch(observer, stop)
                if number := self.group.maximum(stop.signal_number or 0):
                    raise Interrupted(number)
        return self.progress

    def _train_epoch(self, observer: Observer, stop: StopRequest) -> None:
        progress = self.progress
        training_mode(self.model)
        saved = time.monotonic()
        batches = training_batches(
            self.samples,
            progress.epoch,
            self.training.parallel_batch,
            self.training.workers,
            start_batch=progress.step * self.training.accumulate_grad_batches,
            rank=self.group.rank,
            processes=self.group.size,
            pinned=self.context.pins_memory,
        )
        while progress.step < self.steps:
            index = self._train_step(batches, observer)
            number, is_late = self._agreed(stop, time.monotonic() - saved > CHECKPOINT_SECONDS)
            if number or is_late or progress.step == self.steps:
                self._read_loss(observer)
                self._check_weights(index)
            if number or is_late:
                self._save()
                saved = time.monotonic()
            if number:
                raise Interrupted(number)

    def _train_step(self, batches: Iterator[TrainingBatch], observer: Observer) -> np.ndarray:
        """Run one step of all processes; return the person indices [B] of this one.

        See `DeviceContext.reads_losses_late` for when its loss is read.
        """
        progress = self.progress
        set_learning_rate(self.optimiser, self._learning_rate())
        result = self._step(self._batches_of_step(batches))
        latest = _UnreadLoss(progress.step, result.index, result.persons, self.context.read_later(result.loss))
        self._read_loss(observer)
        self._unread = latest
        if not self.context.reads_losses_late:
            self._read_loss(observer)
        progress.step += 1
        return result.index

    def _batches_of_step(self, batches: Iterator[TrainingBatch]) -> Iterator[TrainingBatch]:
        first = next(batches)
        # Only now: the loader may draw a number when it starts.
        torch.manual_seed(_step_seed(self.seed, self.progress.epoch, self.progress.step, self.group.rank))
        yield from chain([first], islice(batches, self.training.accumulate_grad_batches - 1))

    def _read_loss(self, observer: Observer) -> None:
        """Read the loss that is unread, if any.

        Raises:
            DivergedError: it is not finite.
        """
        unread, self._unread = self._unread, None
        if unread is None:
            return
        progress, loss = self.progress, unread.read()
        if not math.isfinite(loss):
            raise DivergedError(progress.epoch, unread.step, self._annotation_ids(unread.index))
        progress.seen += unread.persons
        progress.loss_sum += loss * unread.persons
        if self.group.is_main:
            observer.step(progress.epoch, unread.step + 1, self.steps, loss)

    def _agreed(self, stop: StopRequest, is_late: bool) -> tuple[int, bool]:
        """Return the stop signal of any process, or 0, and whether a checkpoint is due in any process.

        All processes then act after the same step.
        """
        rows = self.group.gather_numbers(stop.signal_number or 0, is_late)
        return int(max(number for number, _ in rows)), any(late for _, late in rows)

    def _check_weights(self, index: np.ndarray) -> None:
        """Check that the weights are finite before a checkpoint: gradients may overflow where the loss did not.

        Args:
            index: [B] this process's person indices of the last step.
        """
        is_finite = all(bool(torch.isfinite(tensor).all()) for tensor in self.model.state_dict().values())
        if self.group.maximum(int(not is_finite)):
            place = self.progress.epoch, self.progress.step - 1
            raise DivergedError(*place, self._annotation_ids(index), "the weights are")

    def _annotation_ids(self, index: np.ndarray) -> list[int]:
        """Return the annotation ids of a step; `index` [B] are this process's persons."""
        return self.samples.annotation_ids[np.concatenate(self.group.gather(index))].tolist()

    def _learning_rate(self) -> float:
        step = self.progress.epoch * self.steps + self.progress.step
        rate = learning_rate(self.training.schedule, self.training.epochs, self.steps, step)
        return rate * self.training.learning_rate_factor

    def _finish_epoch(self, observer: Observer, stop: StopRequest) -> None:
        progress = self.progress
        last = progress.epoch + 1 == self.training.epochs
        validation = None
        if last or (progress.epoch + 1) % self.training.validation_interval == 0:
            # A validation takes minutes at full size, and preempted machines give only seconds of notice.
            self._save()
            self.model.eval()
            validation = self.validate(self.model, stop)
            # Of equal values the last is the best, as in the official code. NaN and -1 (undefined) are never the best.
            if validation[self.metric] >= max(0.0, progress.best_value):
                progress.best_epoch, progress.best_value = progress.epoch, validation[self.metric]
                progress.best_weights = _copy_of_weights(self.model)
        progress.step = 0
        record = {
            "epoch": progress.epoch,
            "learning_rate": self._learning_rate(),
            "loss": progress.loss_sum / progress.seen,
            "validation": validation,
        }
        progress.history.append(record)
        progress.epoch, progress.loss_sum, progress.seen = progress.epoch + 1, 0.0, 0
        self._save()
        if self.group.is_main:
            observer.epoch(record)

    def _save(self) -> None:
        """Write the checkpoint. All processes call this, so that all raise an error such as a full disk."""
        self.group.raise_together(lambda: self._write_checkpoint() if self.group.is_main else None)

    def _write_checkpoint(self) -> None:
        self.store.save(
            {
                "identity": self.identity,
                "progress": vars(self.progress),
                "model": self.model.state_dict(),
                "optimiser": self.optimiser.state_dict(),
            }
        )

    def _resume(self) -> None:
        state = self.store.load()
        if state is None:
            return
        self.progress = Progress(**state["progress"] | {"threads": threads_of_checkpoint(state)})
        self.model.load_state_dict(state["model"])
        load_optimizer_state(self.optimiser, state["optimiser"])


def _step_seed(seed: int, epoch: int, step: int, rank: int) -> int:
    process = (rank,) if rank else ()
    return int(np.random.SeedSequence((seed, epoch, step, *process)).generate_state(1)[0])


def _copy_of_weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in model.state_dict().items()}
