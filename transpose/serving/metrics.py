"""Counters of the server in Prometheus' text format."""

import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from typing import Any

import psutil

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the latency histogram's buckets, in seconds."""


Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class RequestMetrics:
    """Counts requests by path and status, and their latencies by path; used in the event loop only."""

    def __init__(self) -> None:
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._buckets: Counter[tuple[str, float]] = Counter()

    def add(self, path: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests[path, status] += 1
        self._seconds[path] += seconds
        self._buckets[path, next((bound for bound in BUCKETS if seconds <= bound), float("inf"))] += 1

    def render(self, waiting: int) -> str:
        """Return all counters.

        Args:
            waiting: length of the queue.
        """
        return "\n".join([*self._lines(waiting), ""])

    def _lines(self, waiting: int) -> Iterator[str]:
        yield "# HELP transpose_requests_total Answered requests."
        yield "# TYPE transpose_requests_total counter"
        for (path, status), count in sorted(self._requests.items()):
            yield f'transpose_requests_total{{path="{path}",status="{status}"}} {count}'
        yield "# HELP transpose_request_seconds Time from the first byte of a request to its answer."
        yield "# TYPE transpose_request_seconds histogram"
        for path in sorted(self._seconds):
            yield from self._histogram(path)
        yield "# HELP transpose_queue_length Requests that wait for the model."
        yield "# TYPE transpose_queue_length gauge"
        yield f"transpose_queue_length {waiting}"
        yield "# HELP process_resident_memory_bytes Resident memory of the server."
        yield "# TYPE process_resident_memory_bytes gauge"
        yield f"process_resident_memory_bytes {psutil.Process().memory_info().rss}"

    def _histogram(self, path: str) -> Iterator[str]:
        total = 0
        for bound in (*BUCKETS, float("inf")):
            total += self._buckets[path, bound]
            name = "+Inf" if bound == float("inf") else f"{bound:g}"
            yield f'transpose_request_seconds_bucket{{path="{path}",le="{name}"}} {total}'
        yield f'transpose_request_seconds_sum{{path="{path}"}} {self._seconds[path]:.6f}'
        yield f'transpose_request_seconds_count{{path="{path}"}} {total}'


class MeasuredApplication:
    """ASGI middleware that counts the requests of an application."""

    def __init__(self, app: Application, metrics: RequestMetrics, paths: frozenset[str]) -> None:
        """Wrap an application.

        Args:
            paths: counted by name; all others are counted as `other`, because their number has no limit.
        """
        self._app, self._metrics, self._paths = app, metrics, paths

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 500

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        finally:
            path = scope["path"] if scope["path"] in self._paths else "other"
            self._metrics.add(path, status, time.perf_counter() - start)
