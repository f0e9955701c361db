"""Graceful shutdown on SIGINT and SIGTERM."""

import signal
from collections.abc import Iterable, Iterator
from types import FrameType, TracebackType
from typing import Self, TypeVar

Item = TypeVar("Item")


class Interrupted(Exception):  # noqa: N818 - not an error: the run was asked to stop
    """Training was stopped by a signal; its checkpoint is written."""

    def __init__(self, signal_number: int) -> None:
        self.signal_number = signal_number
        super().__init__(signal_number)

    def __str__(self) -> str:
        return f"stopped by {signal.Signals(self.signal_number).name}; run the same command to continue"


class StopRequest:
    """Context manager that records SIGTERM and SIGINT instead of ending the process at once."""

    _SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.signal_number: int | None = None

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._note) for number in self._SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def heeded_between(self, items: Iterable[Item]) -> Iterator[Item]:
        """Yield the items until a stop signal arrives.

        Raises:
            Interrupted: a signal arrived before the next item.
        """
        for item in items:
            if self.signal_number is not None:
                raise Interrupted(self.signal_number)
            yield item

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.signal_number = number
