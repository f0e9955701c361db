"""Batches made by worker processes."""

import atexit
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import is_dataclass
from functools import cache, partial
from multiprocessing.synchronize import Event
from types import FrameType
from typing import Generic, TypeVar

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from transpose.errors import InputError

Batch = TypeVar("Batch")


def load_batches(
    make: Callable[[np.ndarray], Batch], keys: Sequence[np.ndarray], workers: int, pinned: bool = False
) -> Iterator[Batch]:
    """`make(key)` for each key, in order, made ahead by `workers` processes or, with none, on demand in this one.

    Args:
        pinned: have PyTorch call each batch's `pin_memory`, for a copy to a GPU that nobody waits for.

    Raises:
        InputError: `make` raised it, in whatever process, or shared memory cannot hold what workers make ahead.
        RuntimeError: a worker was killed; see `lost_worker`.
    """
    loader = DataLoader(
        _Batches(make),
        batch_size=None,
        sampler=keys,
        num_workers=workers,
        pin_memory=pinned,
        collate_fn=_unchanged,
        worker_init_fn=partial(_begin_worker, _exit_event()) if workers else None,
    )
    for batch in loader:
        if isinstance(batch, InputError):
            raise batch
        yield batch


def slices(order: np.ndarray, batch_size: int) -> list[np.ndarray]:
    """`order` cut into batches; the last one is possibly smaller."""
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


def share(keys: np.ndarray, rank: int, processes: int) -> np.ndarray:
    """The contiguous part of `keys` [N] that falls to a process: none is left out, none comes twice, none is made up.

    Parts differ by one key at most, the first ones are the longer ones, and the last ones may be empty.
    """
    return np.array_split(keys, processes)[rank]


class _Batches(Dataset[Batch | InputError], Generic[Batch]):
    """Hands bad input back as a value, because an error that leaves a worker loses its type and its fields."""

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
    """Put a batch's tensors into shared memory here: where the queue does it, a failure is lost and waited for forever.

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
        problem = "shared memory is full; give it more (docker run --shm-size), or lower training.workers"
        raise InputError("/dev/shm", None, None, problem) from None


def _unchanged(batch: object) -> object:
    return batch


@cache
def _exit_event() -> Event:
    """Is set when this process exits, before multiprocessing terminates and joins the workers that are left.

    Some are left where an exception ends the process: its traceback keeps the loop over the batches alive.
    """
    event = multiprocessing.Event()
    atexit.register(event.set)
    return event


def _begin_worker(exiting: Event, _: int) -> None:
    def terminate(number: int, frame: FrameType | None) -> None:
        if exiting.is_set():
            os._exit(0)

    # The pool of threads that a fork inherits is not alive in the child.
    cv2.setNumThreads(0)
    # torchrun and batch systems signal every process; whether to stop is for the one that the batches are made for.
    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
