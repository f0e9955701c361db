"""Map a function over images with several processes."""

import os
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from typing import TypeVar

import cv2

from transpose.errors import InputError

Result = TypeVar("Result")

_IMAGES_PER_TASK = 8
_TASKS_AHEAD = 2
"""Tasks of each process that it has started or has not: it then never waits for the next one."""


@contextmanager
def mapped(function: Callable[[int], Result], images: Sequence[int], jobs: int) -> Iterator[Iterable[Result]]:
    """Yield the results of `function` for all images in order, computed by `jobs` processes of one thread each.

    With one job, this process computes them. Pipes connect the processes, not the queues of `concurrent.futures`: their
    semaphores have a tracker process, and Python prints tracebacks when it was killed.

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
    tasks = [images[start : start + _IMAGES_PER_TASK] for start in range(0, len(images), _IMAGES_PER_TASK)]
    with ExitStack() as stack:
        with _single_threaded_children():
            workers = [stack.enter_context(_worker(function)) for _ in range(min(jobs, len(tasks)))]
        yield _results_in_order(workers, tasks, jobs)


@contextmanager
def _worker(function: Callable[[int], Result]) -> Iterator[Connection]:
    """Start a process, yield the connection to it, and end it."""
    context = get_context("spawn")
    connection, other_end = context.Pipe()
    assert isinstance(connection, Connection)
    process = context.Process(target=_compute, args=(function, other_end), daemon=True)
    with connection:
        with other_end:
            process.start()
        try:
            yield connection
        finally:
            process.terminate()
            process.join()


def _compute(function: Callable[[int], Result], connection: Connection) -> None:
    """Receive numbered tasks of images and send their results, or the exception, until the connection ends."""
    # Ctrl-C reaches every process; the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    with suppress(EOFError, ConnectionError):
        while True:
            number, images = connection.recv()
            try:
                outcome = [function(image) for image in images]
            except Exception as error:
                error.add_note(traceback.format_exc())
                outcome = error
            connection.send((number, outcome))


def _results_in_order(workers: list[Connection], tasks: Sequence[Sequence[int]], jobs: int) -> Iterator[Result]:
    left, done = iter(enumerate(tasks)), dict[int, list[Result]]()

    def give_task(worker: Connection) -> None:
        if (task := next(left, None)) is not None:
            worker.send(task)

    try:
        for worker in workers * _TASKS_AHEAD:
            give_task(worker)
        for number in range(len(tasks)):
            while number not in done:
                for worker in wait(workers):
                    assert isinstance(worker, Connection)
                    position, outcome = worker.recv()
                    if isinstance(outcome, Exception):
                        raise outcome
                    done[position] = outcome
                    give_task(worker)
            yield from done.pop(number)
    except (EOFError, ConnectionError):
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
