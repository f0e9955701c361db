"""What contenders of a race found, so that their speed is only told together with their agreement."""

from collections.abc import Callable
from typing import Generic, TypeVar

from transpose.benchmark.race import Contender

Answer = TypeVar("Answer")


class Answers(Generic[Answer]):
    """Keeps each contender's last answer."""

    def __init__(self) -> None:
        self.of: dict[str, Answer] = {}
        """By name of the contender."""

    def contender(self, name: str, work: Callable[[], Answer]) -> Contender:
        """A contender whose answer is kept."""

        def run() -> None:
            self.of[name] = work()

        return Contender(name, run)
