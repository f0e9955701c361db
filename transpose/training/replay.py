"""Steps of training that a GPU replays from a recording, since starting their kernels one by one takes it longer."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from transpose.data.loader import TrainingBatch

FIRST_STEPS = 3
"""Run as they are written: in them libraries set themselves up, which no recording may hold."""

Work = Callable[[TrainingBatch], Tensor]
"""Gives the loss of a batch, and leaves its gradients in the parameters."""


class GraphCapture(Protocol):
    """What records work on tensors that stay where they are."""

    def warm_up(self, work: Callable[[], Tensor]) -> Tensor:
        """Do the work once, apart from what is recorded."""
        ...

    def capture(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        """Where the work's result will lie, and what fills it; tensors that the work makes stay where they are too."""
        ...


class CudaGraphs:
    """Records on CUDA. All recordings of one of these share their memory, so one is done before the next begins."""

    def __init__(self) -> None:
        """Take memory of their own."""
        self._memory = torch.cuda.graph_pool_handle()

    def warm_up(self, work: Callable[[], Tensor]) -> Tensor:
        """As `GraphCapture.warm_up`: on another stream, as CUDA wants it of all that precedes a recording."""
        stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            result = work()
        current.wait_stream(stream)
        return result

    def capture(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        """As `GraphCapture.capture`; nothing is computed meanwhile."""
        graph = torch.cuda.CUDAGraph()
        # Only this thread is forbidden to do what breaks a recording: another one pins the batches to come.
        with torch.cuda.graph(graph, pool=self._memory, capture_error_mode="thread_local"):
            result = work()
        return result, graph.replay


@dataclass(frozen=True)
class _Recording:
    """Work on one batch's tensors, into which others are copied."""

    batch: TrainingBatch
    loss: Tensor
    gradients: Sequence[Tensor | None]
    replay: Callable[[], None]


class CudaGraphStep:
    """Does the work of training steps: the first ones as they are written, then from one recording for each batch size.

    A data set gives two sizes, the last batch of an epoch being smaller.
    """

    def __init__(
        self, work: Work, parameters: Iterable[nn.Parameter], device: torch.device, graphs: GraphCapture
    ) -> None:
        """Nothing is recorded yet.

        Args:
            work: random numbers in it are drawn from PyTorch's own generators, and it waits for nothing.
            parameters: all that the work gives gradients.
        """
        self._work = work
        self._parameters = list(parameters)
        self._device = device
        self._graphs = graphs
        self._recordings: dict[int, _Recording] = {}
        self._first_steps = 0

    def __call__(self, batch: TrainingBatch) -> Tensor:
        """Loss of a batch, valid until the next one; its gradients are in the parameters."""
        if self._first_steps < FIRST_STEPS:
            self._first_steps += 1
            return self._graphs.warm_up(lambda: self._work(batch))
        size = len(batch.index)
        if size not in self._recordings:
            self._recordings[size] = self._record(batch)
        recording = self._recordings[size]
        for place, tensor in zip(_tensors(recording.batch), _tensors(batch), strict=True):
            place.copy_(tensor, non_blocking=True)
        recording.replay()
        for parameter, gradient in zip(self._parameters, recording.gradients, strict=True):
            parameter.grad = gradient
        return recording.loss

    def _record(self, batch: TrainingBatch) -> _Recording:
        crops, keypoints, visible = (tensor.to(self._device, copy=True) for tensor in _tensors(batch))
        fixed = replace(batch, crops=crops, keypoints=keypoints, visible=visible)
        loss, replay = self._graphs.capture(lambda: self._work(fixed))
        return _Recording(fixed, loss, [parameter.grad for parameter in self._parameters], replay)


def _tensors(batch: TrainingBatch) -> tuple[Tensor, Tensor, Tensor]:
    return batch.crops, batch.keypoints, batch.visible
