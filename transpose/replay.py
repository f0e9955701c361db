"""CUDA graphs of repeated work, which avoid the overhead of launching kernels one by one."""

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from transpose.device import DeviceContext

EAGER_CALLS = 3
"""Number of eager warm-up calls with each set of shapes: a graph must not capture that libraries initialise or choose
kernels."""

Results = Sequence[Tensor | None]

Work = Callable[..., Results]
"""Computes results from tensors."""


class GraphCapture(Protocol):
    """Captures work on tensors with fixed addresses."""

    def warm_up(self, work: Callable[[], Results]) -> Results:
        """Run the work once, uncaptured."""
        ...

    def capture(self, work: Callable[[], Results]) -> tuple[Results, Callable[[], None]]:
        """Return the work's results and a function that recomputes them; all tensors keep their addresses."""
        ...


class CudaGraphs:
    """Captures CUDA graphs, which share one memory pool and must therefore run one after the other."""

    def __init__(self) -> None:
        """Create the memory pool."""
        self._memory = torch.cuda.graph_pool_handle()

    def warm_up(self, work: Callable[[], Results]) -> Results:
        """As `GraphCapture.warm_up`, on a side stream, as CUDA requires before a capture."""
        stream, current = torch.cuda.Stream(), torch.cuda.current_stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            results = work()
        current.wait_stream(stream)
        return results

    def capture(self, work: Callable[[], Results]) -> tuple[Results, Callable[[], None]]:
        """As `GraphCapture.capture`; nothing is computed during the capture."""
        graph = torch.cuda.CUDAGraph()
        # Only this thread is checked for forbidden calls: another thread pins memory of the next batches.
        with torch.cuda.graph(graph, pool=self._memory, capture_error_mode="thread_local"):
            results = work()
        return results, graph.replay


def graph_capture(context: DeviceContext) -> GraphCapture | None:
    """Return how work is captured on a device; None where it is always run eagerly."""
    return CudaGraphs() if context.device.type == "cuda" else None


def replayed(work: Work, device: torch.device, graphs: GraphCapture | None) -> Work:
    """Return `ReplayedWork`, or the work itself without `graphs`."""
    return work if graphs is None else ReplayedWork(work, device, graphs)


def calls_until_replayed(context: DeviceContext) -> int:
    """Number of calls with one set of shapes after which all further calls take the same time."""
    return EAGER_CALLS + 1 if context.device.type == "cuda" else 0


@dataclass(frozen=True)
class _Captured:
    """A captured graph with its inputs, into which later ones are copied."""

    inputs: tuple[Tensor, ...]
    results: Results
    replay: Callable[[], None]


class ReplayedWork:
    """Runs work eagerly a few times with each set of shapes, then captures it once and replays it.

    A data set has two batch sizes, since its last batch is smaller.
    """

    def __init__(self, work: Work, device: torch.device, graphs: GraphCapture) -> None:
        """Capture nothing yet.

        Args:
            work: must draw random numbers from PyTorch's generators and must not synchronise.
        """
        self._work = work
        self._device = device
        self._graphs = graphs
        self._captured: dict[Hashable, _Captured] = {}
        self._eager_calls: Counter[Hashable] = Counter()

    def __call__(self, *inputs: Tensor) -> Results:
        """Return the results of the work, valid until the next call."""
        shapes = tuple((one.shape, one.dtype) for one in inputs)
        if self._eager_calls[shapes] < EAGER_CALLS:
            self._eager_calls[shapes] += 1
            return self._graphs.warm_up(lambda: self._work(*inputs))
        if shapes not in self._captured:
            self._captured[shapes] = self._capture(inputs)
        graph = self._captured[shapes]
        for target, tensor in zip(graph.inputs, inputs, strict=True):
            target.copy_(tensor, non_blocking=True)
        graph.replay()
        return graph.results

    def _capture(self, inputs: Sequence[Tensor]) -> _Captured:
        fixed = tuple(one.to(self._device, copy=True) for one in inputs)
        return _Captured(fixed, *self._graphs.capture(lambda: self._work(*fixed)))
