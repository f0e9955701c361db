"""What candidates of a comparison found, so that their speed is only told together with their agreement."""

from collections.abc import Callable
from typing import Generic, TypeVar

from transpose.benchmark.comparison import Candidate

Answer = TypeVar("Answer")


class Outputs(Generic[Answer]):
    """Keeps each candidate's last answer."""

    def __init__(self) -> None:
        self.of: dict[str, Answer] = {}
        """By name of the candidate."""

    def candidate(self, name: str, work: Callable[[], Answer]) -> Candidate:
        """A candidate whose answer is kept."""

        def run() -> None:
            self.of[name] = work()

        return Candidate(name, run)
