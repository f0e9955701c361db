"""A bounded queue in front of one thread, which runs the model."""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

Received = TypeVar("Received")
Answer = TypeVar("Answer")


class QueueFullError(Exception):
    """As many requests wait as may wait."""


class SlowRequestError(Exception):
    """The data of a request did not arrive in time."""


class SlowAnswerError(Exception):
    """An answer was not ready in time."""


class JobQueue:
    """Runs jobs one after the other in a thread of its own.

    A request is admitted before its data is received, so that the memory of waiting requests is bounded.
    """

    def __init__(self, length: int, seconds: float) -> None:
        """Start with an empty queue.

        Args:
            length: most requests that wait while another one runs.
            seconds: longest time to receive data, and from then on to answer.
        """
        self._length, self._seconds = length, seconds
        self._admitted, self._lock = 0, Lock()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")

    @property
    def waiting(self) -> int:
        """Number of admitted requests without the one that runs."""
        return max(self._admitted - 1, 0)

    async def answer(self, receive: Callable[[], Awaitable[Received]], job: Callable[[Received], Answer]) -> Answer:
        """Receive a request's data and return the job's result.

        Raises:
            QueueFullError: too many requests wait; nothing was received.
            SlowRequestError: receiving took too long.
            SlowAnswerError: the result took too long; a job that has not started is dropped.
        """
        self._admit()
        try:
            async with asyncio.timeout(self._seconds):
                received = await receive()
        except TimeoutError:
            self._release()
            raise SlowRequestError from None
        except BaseException:
            self._release()
            raise
        future = self._thread.submit(job, received)
        # A job that runs cannot be stopped, and occupies its slot until it ends.
        future.add_done_callback(lambda _: self._release())
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise SlowAnswerError from None

    def close(self) -> None:
        """Drop waiting jobs and wait for the one that runs."""
        self._thread.shutdown(cancel_futures=True)

    def _admit(self) -> None:
        with self._lock:
            if self._admitted > self._length:
                raise QueueFullError
            self._admitted += 1

    def _release(self) -> None:
        with self._lock:
            self._admitted -= 1
