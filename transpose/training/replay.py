"""Training steps captured as CUDA graphs, which avoid the overhead of launching kernels one by one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor, nn

from transpose.data.loader import TrainingBatch

FIRST_STEPS = 3
"""Number of eager warm-up steps, in which libraries initialise; a graph must not capture that."""

Work = Callable[[TrainingBatch], Tensor]
"""Returns the loss of a batch, and leaves its gradients in the parameters."""


class GraphCapture(Protocol):
    """Captures work on tensors with fixed addresses."""

    def warm_up(self, work: Callable[[], Tensor]) -> Tensor:
        """Run the work once, uncaptured."""
        ...

    def capture(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        """Return the work's result tensor and a function that recomputes it; all tensors keep their addresses."""
        ...


class CudaGraphs:
    """Captures CUDA graphs, which share one memory pool and must therefore run one after the other."""

    def __init__(self) -> None:
        """Create the memory pool."""
        self._memory = torch.cuda.graph_pool_handle()

    def warm_up(self, work: Callable[[], Tensor]) -> Tensor:
        """As `GraphCapture.warm_up`, on a side stream, as CUDA requires before a capture."""
        stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            result = work()
        current.wait_stream(stream)
        return result

    def capture(self, work: Callable[[], Tensor]) -> tuple[Tensor, Callable[[], None]]:
        """As `GraphCapture.capture`; nothing is computed during the capture."""
        graph = torch.cuda.CUDAGraph()
        # Only this thread is checked for forbidden calls: another thread pins memory of the next batches.
        with torch.cuda.graph(graph, pool=self._memory, capture_error_mode="thread_local"):
            result = work()
        return result, graph.replay


@dataclass(frozen=True)
class _Captured:
    """A captured graph with its input batch, into which later batches are copied."""

    batch: TrainingBatch
    loss: Tensor
    gradients: Sequence[Tensor | None]
    replay: Callable[[], None]


class CudaGraphStep:
    """Runs training steps: the first ones eagerly, then with one captured graph for each batch size.

    A data set has two batch sizes, since the last batch of an epoch is smaller.
    """

    def __init__(
        self, work: Work, parameters: Iterable[nn.Parameter], device: torch.device, graphs: GraphCapture
    ) -> None:
        """Capture nothing yet.

        Args:
            work: must draw random numbers from PyTorch's generators and must not synchronise.
            parameters: all parameters that the work computes gradients of.
        """
        self._work = work
        self._parameters = list(parameters)
        self._device = device
        self._graphs = graphs
        self._captured: dict[int, _Captured] = {}
        self._first_steps = 0

    def __call__(self, batch: TrainingBatch) -> Tensor:
        """Return the loss of a batch, valid until the next call; gradients are left in the parameters."""
        if self._first_steps < FIRST_STEPS:
            self._first_steps += 1
            return self._graphs.warm_up(lambda: self._work(batch))
        size = len(batch.index)
        if size not in self._captured:
            self._captured[size] = self._capture(batch)
        graph = self._captured[size]
        for target, tensor in zip(_tensors(graph.batch), _tensors(batch), strict=True):
            target.copy_(tensor, non_blocking=True)
        graph.replay()
        for parameter, gradient in zip(self._parameters, graph.gradients, strict=True):
            parameter.grad = gradient
        return graph.loss

    def _capture(self, batch: TrainingBatch) -> _Captured:
        crops, keypoints, visible = (tensor.to(self._device, copy=True) for tensor in _tensors(batch))
        fixed = replace(batch, crops=crops, keypoints=keypoints, visible=visible)
        loss, replay = self._graphs.capture(lambda: self._work(fixed))
        return _Captured(fixed, loss, [parameter.grad for parameter in self._parameters], replay)


def _tensors(batch: TrainingBatch) -> tuple[Tensor, Tensor, Tensor]:
    return batch.crops, batch.keypoints, batch.visible
