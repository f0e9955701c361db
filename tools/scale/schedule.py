"""Schedule jobs on a simulated cluster: those with the longest way to the end first."""

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from transpose.errors import InputError


@dataclass(frozen=True)
class Job:
    """A job of a workflow."""

    name: str
    seconds: float
    gpus: int
    after: frozenset[str]
    """Names of the jobs that must end before it starts."""
    images: float = 0
    """Image files that it opens."""
    writes: float = 0
    """Requests that log metrics to the tracking server."""


@dataclass(frozen=True)
class Schedule:
    """Start of each job, in seconds, on a number of GPUs."""

    gpus: int
    jobs: Mapping[str, Job]
    starts: Mapping[str, float]
    critical_path: float
    """Seconds of the longest chain of jobs: no number of GPUs makes the study shorter."""

    @property
    def seconds(self) -> float:
        """Time until the last job ends."""
        return max((start + self.jobs[name].seconds for name, start in self.starts.items()), default=0.0)

    @property
    def gpu_seconds(self) -> float:
        """Time that jobs have GPUs, summed over GPUs."""
        return sum(job.gpus * job.seconds for job in self.jobs.values())

    @property
    def idle_share(self) -> float:
        """Share of the GPUs' time in which no job has them."""
        return 1 - self.gpu_seconds / (self.gpus * self.seconds)

    def peak(self, value: Callable[[Job], float]) -> float:
        """Return the highest sum over running jobs, such as of files opened per second."""
        changes = [(start, value(self.jobs[name])) for name, start in self.starts.items()]
        changes += [(start + self.jobs[name].seconds, -value(self.jobs[name])) for name, start in self.starts.items()]
        running = highest = 0.0
        # Of changes at one time, the ends come first.
        for _, change in sorted(changes):
            running += change
            highest = max(highest, running)
        return highest


def schedule_jobs(jobs: Sequence[Job], gpus: int) -> Schedule:
    """Start each job as soon as its GPUs are free, in the order of the way that is left to the end.

    A job that does not fit lets smaller ones pass. Jobs without a GPU never wait.

    Raises:
        InputError: a job needs more GPUs than there are.
    """
    named = {job.name: job for job in jobs}
    if too_large := [job.name for job in jobs if job.gpus > gpus]:
        raise InputError(f"needs more than {gpus} GPUs", record=too_large[0], field="gpus")
    left = _seconds_to_the_end(named)
    order = TopologicalSorter({job.name: job.after for job in jobs})
    order.prepare()
    starts: dict[str, float] = {}
    waiting: list[str] = []
    running: list[tuple[float, str]] = []
    now, free = 0.0, gpus
    while order.is_active():
        waiting = sorted({*waiting, *order.get_ready()}, key=lambda name: (-left[name], name))
        for name in waiting:
            if named[name].gpus <= free:
                free -= named[name].gpus
                starts[name] = now
                heapq.heappush(running, (now + named[name].seconds, name))
        waiting = [name for name in waiting if name not in starts]
        now, ended = heapq.heappop(running)
        free += named[ended].gpus
        order.done(ended)
    return Schedule(gpus, named, starts, max(left.values(), default=0.0))


def _seconds_to_the_end(jobs: Mapping[str, Job]) -> dict[str, float]:
    """Return for each job the seconds of the longest chain that starts with it."""
    left = {name: job.seconds for name, job in jobs.items()}
    for name in reversed(list(TopologicalSorter({name: job.after for name, job in jobs.items()}).static_order())):
        for earlier in jobs[name].after:
            left[earlier] = max(left[earlier], jobs[earlier].seconds + left[name])
    return left
