"""Estimate the time that the jobs of a run still need, by scheduling them as Snakemake does."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

RUN_PLAN = "run_plan"
"""Attribute of the log record with which a workflow announces its jobs, a `RunPlan`."""


@dataclass(frozen=True)
class TimedJob:
    """A job that Snakemake will run."""

    rule: str
    seconds: float | None
    """Expected duration; None if unknown."""
    threads: int = 1
    gpus: int = 0
    after: frozenset[int] = frozenset()
    """Numbers of the planned jobs that must end first."""


@dataclass(frozen=True)
class RunPlan:
    """All jobs that Snakemake will run, by number, and the cores and GPUs that they share."""

    jobs: Mapping[int, TimedJob]
    cores: float = math.inf
    gpus: float = math.inf
    closing_line: str = ""
    """Printed after a run in which all jobs have finished."""

    def remaining_seconds(self, pending: Mapping[int, float], running: Mapping[int, float]) -> float:
        """Return the seconds until all jobs have ended, if the longest ready job starts first wherever it fits.

        Args:
            pending: seconds of each job that has not started.
            running: seconds left of each job that runs.
        """
        open_jobs = pending.keys() | running.keys()
        waits_for = {number: len(self.jobs[number].after & open_jobs) for number in pending}
        followers = _followers(self.jobs, pending)
        ready = [(-pending[number], number) for number, count in waits_for.items() if not count]
        heapify(ready)
        now, ends = 0.0, [(seconds, number) for number, seconds in running.items()]
        heapify(ends)
        free = _Free(self.cores, self.gpus)
        for number in running:
            free.take(self.jobs[number])
        while ends or ready:
            too_large = []
            while ready and (free.cores >= 1 or not ends):
                entry = heappop(ready)
                number = entry[1]
                if free.fits(self.jobs[number]) or not ends:
                    free.take(self.jobs[number])
                    heappush(ends, (now + pending[number], number))
                else:
                    too_large.append(entry)
            for entry in too_large:
                heappush(ready, entry)
            now, ended = heappop(ends)
            free.give_back(self.jobs[ended])
            for number in followers.get(ended, ()):
                waits_for[number] -= 1
                if not waits_for[number]:
                    heappush(ready, (-pending[number], number))
        return now


class _Free:
    """Cores and GPUs that no job uses."""

    def __init__(self, cores: float, gpus: float) -> None:
        self._all = cores
        self.cores, self.gpus = cores, gpus

    def fits(self, job: TimedJob) -> bool:
        return self._threads(job) <= self.cores and job.gpus <= self.gpus

    def take(self, job: TimedJob) -> None:
        self.cores -= self._threads(job)
        self.gpus -= job.gpus

    def give_back(self, job: TimedJob) -> None:
        self.cores += self._threads(job)
        self.gpus += job.gpus

    def _threads(self, job: TimedJob) -> float:
        """Threads of a job; Snakemake limits them to the cores of the run."""
        return min(job.threads, self._all)


def _followers(jobs: Mapping[int, TimedJob], pending: Iterable[int]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for number in pending:
        for earlier in jobs[number].after:
            found.setdefault(earlier, []).append(number)
    return found
