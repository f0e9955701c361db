"""The queue runs jobs one after the other, admits no more than may wait, and drops those that are late."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator

import pytest

from transpose.serving.job_queue import JobQueue, QueueFullError, SlowAnswerError, SlowRequestError


async def at_once() -> str:
    return "data"


class Gate:
    """A job that waits until the gate is opened."""

    def __init__(self) -> None:
        self.opened, self.entered = threading.Event(), threading.Event()
        self.passed: list[str] = []

    def pass_through(self, data: str) -> str:
        self.entered.set()
        assert self.opened.wait(30)
        self.passed.append(data)
        return data


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.opened.set()


def test_a_job_s_result_and_error_are_the_answer() -> None:
    queue = JobQueue(length=0, seconds=30)

    def fail(_: str) -> str:
        raise ValueError("wrong")

    async def ask() -> None:
        assert await queue.answer(at_once, str.upper) == "DATA"
        with pytest.raises(ValueError, match="wrong"):
            await queue.answer(at_once, fail)
        assert await queue.answer(at_once, str.upper) == "DATA"

    asyncio.run(ask())
    queue.close()


def test_requests_beyond_the_length_are_refused_before_their_data_is_received(gate: Gate) -> None:
    queue = JobQueue(length=1, seconds=30)
    received = []

    async def receive() -> str:
        received.append(1)
        return "data"

    async def ask() -> None:
        answers = [asyncio.create_task(queue.answer(receive, gate.pass_through)) for _ in range(2)]
        while len(received) < 2:
            await asyncio.sleep(0)
        assert queue.waiting == 1
        with pytest.raises(QueueFullError):
            await queue.answer(receive, gate.pass_through)
        gate.opened.set()
        assert await asyncio.gather(*answers) == ["data", "data"]
        assert await queue.answer(receive, gate.pass_through) == "data"

    asyncio.run(ask())
    assert (len(received), queue.waiting) == (3, 0)
    queue.close()


def test_a_late_job_is_dropped_and_one_that_runs_keeps_its_slot(gate: Gate) -> None:
    queue = JobQueue(length=1, seconds=0.05)

    async def ask() -> None:
        answers = [asyncio.create_task(queue.answer(at_once, gate.pass_through)) for _ in range(2)]
        for answer in answers:
            with pytest.raises(SlowAnswerError):
                await answer
        # The first still runs, the second has left the queue.
        assert queue._admitted == 1
        gate.opened.set()

    asyncio.run(ask())
    queue.close()
    assert gate.passed == ["data"]
    assert queue._admitted == 0


def _cancelled() -> Awaitable[str]:
    raise asyncio.CancelledError


async def _never() -> str:
    await asyncio.sleep(60)
    return ""


@pytest.mark.parametrize(("receive", "error"), [(_never, SlowRequestError), (_cancelled, asyncio.CancelledError)])
def test_data_that_does_not_arrive_frees_its_slot(
    receive: Callable[[], Awaitable[str]], error: type[BaseException]
) -> None:
    queue = JobQueue(length=0, seconds=0.02)

    async def ask() -> None:
        with pytest.raises(error):
            await queue.answer(receive, str.upper)
        assert await queue.answer(at_once, str.upper) == "DATA"

    asyncio.run(ask())
    queue.close()
