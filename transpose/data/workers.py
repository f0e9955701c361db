"""Load batches in worker processes."""

import atexit
import multiprocessing
import signal
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from multiprocessing import resource_tracker
from multiprocessing.context import BaseContext
from typing import Generic, TypeVar

import cv2
import numpy as np
import torch
import torch.distributed as dist
from torch.utils.data import DataLoader, Dataset, get_worker_info

from transpose.errors import InputError

Batch = TypeVar("Batch")

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def load_batches(
    make: Callable[[np.ndarray], Batch], keys: Sequence[np.ndarray], workers: int, pinned: bool = False
) -> Iterator[Batch]:
    """Yield `make(key)` for each key, in order, computed ahead by `workers` processes or, with 0, in this process.

    Args:
        pinned: call each batch's `pin_memory`, for asynchronous copies to a GPU.

    Raises:
        InputError: `make` raised it, in any process, or shared memory is full.
        RuntimeError: a worker was killed; see `lost_worker`.
    """
    loader = DataLoader(
        _Batches(make),
        batch_size=None,
        sampler=keys,
        num_workers=workers,
        pin_memory=pinned,
        collate_fn=_unchanged,
        worker_init_fn=_begin_worker,
        multiprocessing_context=_start_method() if workers else None,
    )
    with _stop_signals_blocked():
        batches = _LoadedBatches(loader)
    try:
        for batch in batches:
            if isinstance(batch, InputError):
                raise batch
            yield batch
    finally:
        # Else a traceback that is kept would keep the workers.
        batches.close()


def slices(order: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """Split `order` into batches; the last one may be smaller."""
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def share(keys: np.ndarray, rank: int, processes: int) -> np.ndarray:
    """Return the contiguous part of `keys` [N] for one process; the parts of all processes partition the keys.

    Their sizes differ by at most one; the first parts are the longer ones, and the last ones may be empty.
    """
    return np.array_split(keys, processes)[rank]


class _LoadedBatches(Iterator[Batch | InputError]):
    """Iterator over a loader, whose workers end when it is no longer used or this process exits.

    By itself, the loader's own iterator waits 5 s for each worker if it is garbage in a cycle, such as a traceback with
    its exception: a collection first closes the queues that would end the workers. The callback keeps it out of that.
    """

    def __init__(self, loader: DataLoader[Batch | InputError]) -> None:
        kept = [iter(loader)]
        self._kept = kept
        self._end = weakref.finalize(self, kept.clear)
        # Before multiprocessing waits for the workers. A finalizer's own call at exit may come after that.
        self._end.atexit = False
        atexit.register(self._end)

    def __next__(self) -> Batch | InputError:
        return next(self._kept[0])

    def close(self) -> None:
        """End the workers."""
        self._end()
        atexit.unregister(self._end)


class _Batches(Dataset[Batch | InputError], Generic[Batch]):
    """Dataset of batches; returns an InputError as a value, because raising it in a worker loses type and fields."""

    def __init__(self, make: Callable[[np.ndarray], Batch]) -> None:
        self.make = make

    def __getitem__(self, key: np.ndarray) -> Batch | InputError:
        try:
            batch = self.make(key)
            if get_worker_info() is not None:
                _share(batch)
            return batch
        except InputError as error:
            return error


def _share(batch: object) -> None:
    """Move a batch's tensors to shared memory here: a failure in the queue would be lost and the loader would hang.

    Raises:
        InputError: shared memory is full.
    """
    try:
        for value in vars(batch).values() if is_dataclass(batch) else ():
            if isinstance(value, torch.Tensor):
                value.share_memory_()
    except RuntimeError as error:
        if "shared memory" not in str(error):
            raise
        problem = "shared memory is full; increase it (docker run --shm-size) or lower training.workers"
        raise InputError(problem, file="/dev/shm") from None


def _start_method() -> BaseContext:
    """Return how workers start: by a fork of a process without threads if this one trains in a process group.

    In Python 3.11, a thread of the group that starts to run Python code during a fork deadlocks the new process
    (CPython issue 112275).
    """
    if not dist.is_initialized():
        return multiprocessing.get_context()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    # Otherwise it starts with the server of forks, and unblocks the stop signals for that server.
    resource_tracker.ensure_running()
    return context


def _unchanged(batch: object) -> object:
    return batch


@contextmanager
def _stop_signals_blocked() -> Iterator[None]:
    """Block the stop signals in this thread and in the workers it starts, until these have their own handlers.

    A worker would end at a signal to all processes that arrives before.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin_worker(_: int) -> None:
    # OpenCV's thread pool does not survive a fork.
    cv2.setNumThreads(0)
    # torchrun, batch systems and closed terminals signal every process; only the main process decides whether to stop.
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOP_SIGNALS)
