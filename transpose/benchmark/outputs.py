"""Outputs of benchmark candidates, to check that they agree."""

from collections.abc import Callable
from typing import Generic, TypeVar

from transpose.benchmark.comparison import Candidate

Output = TypeVar("Output")


class Outputs(Generic[Output]):
    """Stores the last output of each candidate."""

    def __init__(self) -> None:
        self.of: dict[str, Output] = {}
        """Outputs by name of the candidate."""

    def candidate(self, name: str, work: Callable[[], Output]) -> Candidate:
        """Return a candidate that stores its output."""

        def run() -> None:
            self.of[name] = work()

        return Candidate(name, run)
