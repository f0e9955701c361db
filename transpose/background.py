"""Read or write items in a thread, with a bounded number of them in memory."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TypeVar

Item = TypeVar("Item")


@contextmanager
def read_ahead(items: Generator[Item, None, None], count: int) -> Iterator[Iterator[Item]]:
    """Context manager: yield the items of a generator, which runs in a thread, up to `count` items ahead.

    An error of the generator is raised after the items before it. On exit the thread has ended and the generator is
    closed.
    """
    with closing(items), _thread() as thread:
        yield _in_order(thread, items, count)


@contextmanager
def write_behind(write: Callable[[Item], None], count: int) -> Iterator[Callable[[Item], None]]:
    """Context manager: yield a function that has `write` called with an item in a thread, one item after another.

    The function waits while `count` items are not yet written. It raises an error of `write` for an earlier item, as
    does the exit, which waits for all items. If the block raises, items that wait are dropped.
    """
    with _thread() as thread:
        pending: deque[Future[None]] = deque()

        def put(item: Item) -> None:
            if len(pending) == count:
                pending.popleft().result()
            pending.append(thread.submit(write, item))

        yield put
        for future in pending:
            future.result()


@contextmanager
def _thread() -> Iterator[ThreadPoolExecutor]:
    """Context manager: one thread. On exit it has ended, and calls that had not started are dropped."""
    thread = ThreadPoolExecutor(1, thread_name_prefix="background")
    try:
        yield thread
    finally:
        thread.shutdown(cancel_futures=True)


def _in_order(thread: ThreadPoolExecutor, items: Iterator[Item], count: int) -> Iterator[Item]:
    pending = deque(thread.submit(_next_of, items) for _ in range(count))
    while found := pending.popleft().result():
        pending.append(thread.submit(_next_of, items))
        yield from found


def _next_of(items: Iterator[Item]) -> list[Item]:
    """Return the next item in a list, which is empty at the end."""
    for item in items:
        return [item]
    return []
