"""Map a function over images with several processes."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import TypeVar

import cv2

from transpose.errors import InputError

Result = TypeVar("Result")


@contextmanager
def mapped(function: Callable[[int], Result], images: Sequence[int], jobs: int) -> Iterator[Iterable[Result]]:
    """Yield the results of `function` for all images in order, computed by `jobs` processes of one thread each.

    With one job, this process computes them.

    Raises:
        InputError: one of the processes was killed.
    """
    if jobs == 1:
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            yield map(function, images)
        finally:
            cv2.setNumThreads(threads)
        return
    workers = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=cv2.setNumThreads, initargs=(1,))
    try:
        with _single_threaded_children(), workers as pool:
            yield pool.map(function, images, chunksize=8)
    except BrokenProcessPool:
        problem = "one of these processes was killed; if memory ran out, use fewer"
        raise InputError(problem, file="--jobs", record=jobs) from None


@contextmanager
def _single_threaded_children() -> Iterator[None]:
    """Context manager: limit linear algebra in new processes to one thread, because the pool already uses all cores."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
