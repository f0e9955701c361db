"""Processes that render images beside each other."""

from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from transpose.errors import InputError


@contextmanager
def living_pool(jobs: int) -> Iterator[None]:
    """While entered, the death of a process of a pool is told as what it is.

    Raises:
        InputError: one of `jobs` processes was killed.
    """
    try:
        yield
    except BrokenProcessPool:
        problem = "one of these processes was killed; fewer take less memory, if it was that"
        raise InputError("--jobs", jobs, None, problem) from None
