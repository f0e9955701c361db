"""Items are read ahead and written behind in a thread: in order, bounded, and with its errors."""

import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import pytest

from transpose.background import read_ahead, write_behind
from transpose.errors import InputError


class Source:
    """Numbers from 0; counts what was read."""

    def __init__(self, end: int, fails: bool = False) -> None:
        self.end, self.fails = end, fails
        self.read = 0
        self.is_closed = False
        self.threads = set[str]()

    def items(self) -> Generator[int, None, None]:
        try:
            for number in range(self.end):
                self.read += 1
                self.threads.add(threading.current_thread().name)
                yield number
            if self.fails:
                raise InputError("ends early", file="a.mp4")
        finally:
            self.is_closed = True


def background_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("background")]


@pytest.mark.parametrize("end", [0, 1, 3, 20])
def test_items_are_read_in_order_and_at_most_so_many_ahead(end: int) -> None:
    source, found = Source(end), list[int]()
    with read_ahead(source.items(), 3) as items:
        for number in items:
            found.append(number)
            assert source.read <= len(found) + 3
    assert found == list(range(end))
    assert threading.main_thread().name not in source.threads
    assert source.is_closed
    assert background_threads() == []


def test_items_that_are_false_are_items() -> None:
    with read_ahead((item for item in (None, 0, "")), 2) as items:
        assert list(items) == [None, 0, ""]


def test_an_error_comes_after_the_items_before_it() -> None:
    source, found = Source(5, fails=True), list[int]()

    def read() -> None:
        with read_ahead(source.items(), 2) as items:
            for number in items:
                found.append(number)

    with pytest.raises(InputError, match=r"a\.mp4: ends early"):
        read()
    assert found == list(range(5))
    assert background_threads() == []


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_reading_ends_with_its_block(error: type[BaseException]) -> None:
    source = Source(1_000_000)

    def read() -> None:
        with read_ahead(source.items(), 2) as items:
            next(items)
            raise error

    with pytest.raises(error):
        read()
    assert source.read <= 4
    assert source.is_closed
    assert background_threads() == []


def test_all_items_are_written_in_order_before_the_exit() -> None:
    written = list[int]()
    with write_behind(written.append, 2) as write:
        for number in range(50):
            write(number)
            assert len(written) >= number + 1 - 2
    assert written == list(range(50))
    assert background_threads() == []


@pytest.mark.parametrize("failing", [0, 9])
def test_an_error_of_writing_is_raised_here(failing: int) -> None:
    def write_one(number: int) -> None:
        if number == failing:
            raise InputError("the disk is full", file="a.mp4")

    def write_all() -> None:
        with write_behind(write_one, 2) as write:
            for number in range(10):
                write(number)

    with pytest.raises(InputError, match=r"a\.mp4: the disk is full"):
        write_all()
    assert background_threads() == []


def test_items_that_wait_are_dropped_if_the_block_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    is_stopping, written = threading.Event(), list[int]()

    class Observed(ThreadPoolExecutor):
        def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            is_stopping.set()
            super().shutdown(wait=wait)

    def write_one(number: int) -> None:
        is_stopping.wait()
        written.append(number)

    def fail_with_waiting_items() -> None:
        with write_behind(write_one, 8) as write:
            for number in range(5):
                write(number)
            raise ValueError("wrong")

    monkeypatch.setattr("transpose.background.ThreadPoolExecutor", Observed)
    with pytest.raises(ValueError, match="wrong"):
        fail_with_waiting_items()
    assert written in ([], [0])
