"""One training step: loss, gradients and update."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from transpose.codec.encode import gaussian_heatmaps
from transpose.config.training import Training
from transpose.data.loader import TrainingBatch
from transpose.data.normalise import normalise
from transpose.device import DeviceContext
from transpose.memory import memory_for
from transpose.models.compiler import compiled_forward
from transpose.replay import GraphCapture, Results, replayed
from transpose.skeleton import Skeleton
from transpose.training.distributed import ProcessGroup
from transpose.training.loss import heatmap_loss
from transpose.training.optimiser import update_unless


@dataclass(frozen=True)
class StepResult:
    """What is known of a step while the device may still compute it."""

    index: np.ndarray
    """[B] int64: indices of this process's persons."""
    persons: int
    """Persons of all processes."""
    loss: Tensor
    """Scalar on the device: mean over all persons, valid until the next step."""


class TrainingStep:
    """Steps of one process of a training, which do not wait for the device.

    After a loss that is not finite no step changes the weights any more, so the losses can be read later.
    """

    def __init__(
        self,
        model: nn.Module,
        heatmap_size: tuple[int, int],
        skeleton: Skeleton,
        training: Training,
        context: DeviceContext,
        optimiser: torch.optim.Adam,
        group: ProcessGroup,
        graphs: GraphCapture | None,
    ) -> None:
        """Prepare the steps; the first ones may compile the network and capture graphs.

        Args:
            model: on the device, in training mode whenever a step is taken.
            heatmap_size: (height, width).
            graphs: captures the work of a step; None runs it eagerly.
        """
        self._network = model
        self._compiled = compiled_forward(model) if context.compiled else model
        self._parameters = list(model.parameters())
        self._heatmap_size, self._skeleton = heatmap_size, skeleton
        self._training, self._context, self._optimiser, self._group = training, context, optimiser, group
        self._memory_key = ("training.batch_size", training.batch_size)
        self._stopped = torch.zeros((), device=context.device)
        self._is_one_batch = group.size == 1 and training.accumulate_grad_batches == 1
        work = self._gradients_and_update if self._is_one_batch else self._gradients
        # Synchronised BatchNorm communicates within the step, which a graph would have to capture.
        self._work = replayed(work, context.device, None if training.sync_batch_norm else graphs)

    def __call__(self, batches: Iterable[TrainingBatch]) -> StepResult:
        """Run one step of all processes, each with its own batches, of which some may be empty.

        Raises:
            InputError: the memory is full, in some process.
        """
        with memory_for(*self._memory_key):
            if self._is_one_batch:
                (batch,) = batches
                loss, *_ = self._run(batch)
                return StepResult(batch.index, len(batch.index), loss)
            index, loss = self._group.raise_together(lambda: self._own_gradients(batches))
            persons = int(sum(count for (count,) in self._group.gather_numbers(len(index))))
            loss = self._group.average_gradients(self._parameters, loss, len(index) / persons)
            self._update(loss)
            return StepResult(index, persons, loss)

    def _own_gradients(self, batches: Iterable[TrainingBatch]) -> tuple[np.ndarray, Tensor]:
        """Compute the gradients of the mean loss over this process's persons; without persons there are none.

        Returns:
            Person indices [B] of all batches, and the mean loss.
        """
        index, mean = np.empty(0, dtype=np.int64), torch.zeros((), device=self._context.device)
        # Here too, because all processes raise the InputError of one of them.
        with memory_for(*self._memory_key):
            for batch in batches:
                if not len(batch.index):
                    continue
                # Copies, because a replayed step overwrites its gradients.
                earlier = [
                    one.grad.clone() if len(index) and one.grad is not None else None for one in self._parameters
                ]
                loss, *gradients = self._run(batch)
                index = np.concatenate((index, batch.index))
                share = len(batch.index) / len(index)
                for parameter, before, gradient in zip(self._parameters, earlier, gradients, strict=True):
                    parameter.grad = gradient if before is None or gradient is None else before.lerp(gradient, share)
                mean = mean.lerp(loss, share)
        if not len(index):
            self._optimiser.zero_grad(set_to_none=True)
        return index, mean

    def _run(self, batch: TrainingBatch) -> tuple[Tensor, *tuple[Tensor | None, ...]]:
        loss, *gradients = self._work(batch.crops, batch.keypoints, batch.visible)
        assert loss is not None
        return loss, *gradients

    def _gradients_and_update(self, crops: Tensor, keypoints: Tensor, visible: Tensor) -> Results:
        loss = self._backward(crops, keypoints, visible)
        self._update(loss)
        return [loss]

    def _gradients(self, crops: Tensor, keypoints: Tensor, visible: Tensor) -> Results:
        return [self._backward(crops, keypoints, visible), *(parameter.grad for parameter in self._parameters)]

    def _backward(self, crops: Tensor, keypoints: Tensor, visible: Tensor) -> Tensor:
        """Replace the gradients, and return the loss without autograd graph."""
        self._optimiser.zero_grad(set_to_none=True)
        loss = self._loss(crops, keypoints, visible)
        loss.backward()
        return loss.detach()

    def _loss(self, crops: Tensor, keypoints: Tensor, visible: Tensor) -> Tensor:
        """Compute the loss of a batch of at least one person; normalisation and targets run on the device."""
        context, training = self._context, self._training
        images = normalise(context.send(crops))
        targets, weights = gaussian_heatmaps(
            context.send(keypoints), context.send(visible), self._heatmap_size, training.sigma
        )
        if training.joint_weights:
            weights = weights * _keypoint_weights(tuple(self._skeleton.loss_weights), context.device)
        # An epoch's last batch would be compiled again for its size.
        network = self._compiled if len(crops) == training.batch_size else self._network
        with context.autocast():
            heatmaps = network(images)
        return heatmap_loss(heatmaps.float(), targets, weights)

    def _update(self, loss: Tensor) -> None:
        torch.maximum(self._stopped, (~loss.isfinite()).float(), out=self._stopped)
        update_unless(self._stopped, self._optimiser)


@cache
def _keypoint_weights(weights: tuple[float, ...], device: torch.device) -> Tensor:
    """[K] float32, cached, since sending it again would make the CPU wait for the GPU."""
    return torch.tensor(weights, dtype=torch.float32, device=device)
