"""CUDA graphs of repeated work, which avoid the overhead of launching kernels one by one."""

import gc
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Protocol

import torch
from torch import Tensor

from transpose.device import DeviceContext

EAGER_CALLS = 3
"""Number of eager warm-up calls, in which libraries initialise; a graph must not capture that."""

MOST_CAPTURES = 8
"""Graphs of one work: each takes memory, and images have any number of persons."""

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
        stream, current = _side_stream(), torch.cuda.current_stream()
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            results = work()
        current.wait_stream(stream)
        return results

    def capture(self, work: Callable[[], Results]) -> tuple[Results, Callable[[], None]]:
        """As `GraphCapture.capture`; nothing is computed during the capture."""
        # Frees the memory of unused graphs, such as those of an earlier validation.
        gc.collect()
        graph = torch.cuda.CUDAGraph()
        measures = torch.backends.cudnn.benchmark
        # cuDNN must not measure convolutions of new shapes during a capture; it keeps its choices for known ones.
        torch.backends.cudnn.benchmark = False
        try:
            # Only this thread is checked for forbidden calls: another thread pins memory of the next batches.
            with torch.cuda.graph(graph, pool=self._memory, stream=_side_stream(), capture_error_mode="thread_local"):
                results = work()
        finally:
            torch.backends.cudnn.benchmark = measures
        return results, graph.replay


@cache
def _side_stream() -> torch.cuda.Stream:
    """The one stream for warm-ups and captures: libraries keep a workspace for each stream."""
    return torch.cuda.Stream()


def graph_capture(context: DeviceContext) -> GraphCapture | None:
    """Return how work is captured on a device; None where it is always run eagerly."""
    return CudaGraphs() if context.device.type == "cuda" else None


def replayed(work: Work, device: torch.device, graphs: GraphCapture | None) -> Work:
    """Return `ReplayedWork`, or the work itself without `graphs`."""
    return work if graphs is None else ReplayedWork(work, device, graphs)


def with_own_results(work: Work) -> Work:
    """Return replayed work whose results stay valid, also for several threads; other work as it is."""
    return work.copies if isinstance(work, ReplayedWork) else work


def calls_until_replayed(context: DeviceContext) -> int:
    """Number of calls with one set of shapes after which all further ones take the same time."""
    return EAGER_CALLS + 1 if context.device.type == "cuda" else 0


@dataclass(frozen=True)
class _Captured:
    """A captured graph with its inputs, into which later ones are copied."""

    inputs: tuple[Tensor, ...]
    results: Results
    replay: Callable[[], None]


class ReplayedWork:
    """Runs work eagerly a few times, then captures it once for each set of shapes and replays it.

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
        self._eager_calls = 0
        self._lock = Lock()

    def __call__(self, *inputs: Tensor) -> Results:
        """Return the results of the work, valid until the next call."""
        shapes = tuple((one.shape, one.dtype) for one in inputs)
        if self._eager_calls < EAGER_CALLS:
            self._eager_calls += 1
            return self._graphs.warm_up(lambda: self._work(*inputs))
        if shapes not in self._captured:
            if len(self._captured) == MOST_CAPTURES:
                return self._work(*inputs)
            self._captured[shapes] = self._capture(inputs)
        graph = self._captured[shapes]
        for target, tensor in zip(graph.inputs, inputs, strict=True):
            target.copy_(tensor, non_blocking=True)
        graph.replay()
        return graph.results

    def copies(self, *inputs: Tensor) -> Results:
        """Return results of the work that no later call overwrites."""
        with self._lock:
            return [None if one is None else one.clone() for one in self(*inputs)]

    def _capture(self, inputs: Sequence[Tensor]) -> _Captured:
        fixed = tuple(one.to(self._device, copy=True) for one in inputs)
        return _Captured(fixed, *self._graphs.capture(lambda: self._work(*fixed)))
