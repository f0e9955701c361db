"""What is known of a Snakemake run while it runs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from transpose.progress import clock
from transpose.terminal.durations import Durations, Measured
from transpose.terminal.job_log import JobLog
from transpose.terminal.remaining import RunPlan

_SECONDS_BETWEEN_ESTIMATES = 5.0


@dataclass(frozen=True)
class RunningJob:
    """A job that has started."""

    title: str
    rule: str
    begin: float
    log: JobLog
    is_shown: bool = True
    """False for a target rule, which only collects files."""


@dataclass
class RunState:
    """Jobs of a run: planned, running and finished. All times are of one clock, in seconds."""

    plan: RunPlan = field(default_factory=lambda: RunPlan({}))
    total: int = 0
    """Number of jobs that will run, target rules included."""
    running: dict[int, RunningJob] = field(default_factory=dict)
    finished: Counter[str] = field(default_factory=Counter)
    """Numbers of finished jobs by rule."""
    failed: list[str] = field(default_factory=list)
    """Titles of failed jobs."""
    begin: float | None = None
    _done: set[int] = field(default_factory=set)
    _measured: list[Measured] = field(default_factory=list)
    """Durations of finished jobs."""
    _estimate: tuple[float, float | None] | None = None
    """Time of the last estimate, and the estimated end."""

    def start(self, number: int, job: RunningJob) -> None:
        """Note a job that starts."""
        self.begin = job.begin if self.begin is None else self.begin
        self.running[number] = job

    def finish(self, number: int, now: float) -> RunningJob | None:
        """Note the end of a job and return it; None if its start is unknown."""
        job = self.running.pop(number, None)
        self._done.add(number)
        self._estimate = None
        if job is not None:
            self.finished[job.rule] += job.is_shown
            self._measured.append(Measured(job.rule, now - job.begin, self._expected(number)))
        return job

    def fail(self, number: int) -> RunningJob | None:
        """Note a failed job and return it; None if its start is unknown."""
        job = self.running.pop(number, None)
        self._estimate = None
        return job

    def progress_of_jobs(self, now: float) -> list[tuple[str, str]]:
        """Return title and progress of the running jobs that do something, in the order of their start."""
        durations = Durations.of(self._measured)
        jobs = sorted(self.running.items(), key=lambda item: item[1].begin)
        return [
            (job.title, _words_of(job, durations.seconds(job.rule, self._expected(number)), now))
            for number, job in jobs
            if job.is_shown
        ]

    @property
    def ended(self) -> int:
        """Number of finished jobs, target rules included."""
        return len(self._done)

    @property
    def is_done(self) -> bool:
        """Whether all jobs have finished."""
        return not self.failed and not self.running and self.ended >= self.total

    def read_logs(self, now: float) -> None:
        """Read what running jobs have added to their logs."""
        for job in self.running.values():
            job.log.read(now)

    def seconds_left(self, now: float) -> float | None:
        """Estimate the time to the end of the run; None if the duration of a job is unknown."""
        if self._estimate is None or now - self._estimate[0] > _SECONDS_BETWEEN_ESTIMATES:
            left = self._remaining(now)
            self._estimate = (now, None if left is None else now + left)
        end = self._estimate[1]
        return None if end is None else max(end - now, 0.0)

    def fraction(self, now: float) -> float | None:
        """Return the elapsed share of the estimated time; None without an estimate."""
        left = self.seconds_left(now)
        if left is None or self.begin is None:
            return None
        elapsed = now - self.begin
        return elapsed / (elapsed + left) if elapsed + left > 0 else None

    def _remaining(self, now: float) -> float | None:
        if not self.plan.jobs or self.running.keys() - self.plan.jobs.keys():
            return None
        durations = Durations.of([*self._measured, *self._estimated(now)])
        pending: dict[int, float] = {}
        running: dict[int, float] = {}
        for number, job in self.plan.jobs.items():
            if number in self._done:
                continue
            left = self._own_estimate(number, now)
            seconds = durations.seconds(job.rule, job.seconds) if left is None else left
            if seconds is None:
                return None
            if number not in self.running:
                pending[number] = seconds
            elif left is None:
                running[number] = max(seconds - (now - self.running[number].begin), 0.0)
            else:
                running[number] = left
        return self.plan.remaining_seconds(pending, running)

    def _estimated(self, now: float) -> Iterator[Measured]:
        """Yield the durations of running jobs that estimate their own time."""
        for number, job in self.running.items():
            if (left := self._own_estimate(number, now)) is not None:
                yield Measured(job.rule, now - job.begin + left, self._expected(number))

    def _own_estimate(self, number: int, now: float) -> float | None:
        job = self.running.get(number)
        return None if job is None else job.log.seconds_left(now)

    def _expected(self, number: int) -> float | None:
        job = self.plan.jobs.get(number)
        return None if job is None else job.seconds


def _words_of(job: RunningJob, expected: float | None, now: float) -> str:
    """Return what a job's log says of its progress, or else its time."""
    words = job.log.words(now)
    if words:
        return ", ".join(words)
    elapsed = now - job.begin
    return clock(elapsed) if expected is None or elapsed > expected else f"{clock(elapsed)} of {clock(expected)}"
