"""Correct the expected durations of jobs by those that jobs have had in the same run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class Measured(NamedTuple):
    """The duration of a job, in seconds."""

    rule: str
    seconds: float
    expected: float | None


@dataclass(frozen=True)
class Durations:
    """What the jobs of a run have taken, by rule."""

    means: Mapping[str, float]
    ratios: Mapping[str, float]
    """Measured to expected seconds of a rule's jobs."""
    ratio: float
    """The same of all jobs; 1 before the first."""

    @classmethod
    def of(cls, measured: Iterable[Measured]) -> "Durations":
        """Summarise the jobs of a run."""
        by_rule: dict[str, list[Measured]] = {}
        for job in measured:
            by_rule.setdefault(job.rule, []).append(job)
        ratios = {rule: _ratio(jobs) for rule, jobs in by_rule.items()}
        return cls(
            means={rule: sum(job.seconds for job in jobs) / len(jobs) for rule, jobs in by_rule.items()},
            ratios={rule: ratio for rule, ratio in ratios.items() if ratio is not None},
            ratio=_ratio([job for jobs in by_rule.values() for job in jobs]) or 1.0,
        )

    def seconds(self, rule: str, expected: float | None) -> float | None:
        """Return the duration of a job: its expectation, corrected by its rule or by all jobs; None if unknown."""
        if expected is None:
            return self.means.get(rule)
        return expected * self.ratios.get(rule, self.ratio)


def _ratio(jobs: Iterable[Measured]) -> float | None:
    pairs = [(job.seconds, job.expected) for job in jobs if job.expected]
    return sum(seconds for seconds, _ in pairs) / sum(expected for _, expected in pairs) if pairs else None
