"""Graceful shutdown on SIGINT, SIGTERM and SIGHUP."""

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


def ignores_hangup() -> bool:
    """Whether this process ignores SIGHUP, as it does under nohup."""
    return signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


class StopRequest:
    """Context manager that records SIGTERM, SIGINT and SIGHUP instead of ending the process at once.

    An ignored SIGHUP stays ignored, so that a training under nohup outlives its terminal.
    """

    _SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def __init__(self) -> None:
        self.signal_number: int | None = None

    def __enter__(self) -> Self:
        heeded = (number for number in self._SIGNALS if number != signal.SIGHUP or not ignores_hangup())
        self._previous = {number: signal.signal(number, self._note) for number in heeded}
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
