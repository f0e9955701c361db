"""Error handling for pools of rendering processes."""

from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from transpose.errors import InputError


@contextmanager
def living_pool(jobs: int) -> Iterator[None]:
    """Context manager: report a killed pool process as an InputError.

    Raises:
        InputError: one of the `jobs` processes was killed.
    """
    try:
        yield
    except BrokenProcessPool:
        problem = "one of these processes was killed; if memory ran out, use fewer"
        raise InputError("--jobs", jobs, None, problem) from None
