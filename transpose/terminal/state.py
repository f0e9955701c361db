"""What is known of a Snakemake run while it runs."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from transpose.progress import clock
from transpose.terminal.job_log import JobLog
from transpose.terminal.remaining import RunPlan, TimedJob

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
    _measured: dict[str, list[tuple[float, float | None]]] = field(default_factory=dict)
    """Seconds of finished jobs by rule: measured and expected."""
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
            self._measured.setdefault(job.rule, []).append((now - job.begin, self._expected(number, job.rule).seconds))
        return job

    def fail(self, number: int) -> RunningJob | None:
        """Note a failed job and return it; None if its start is unknown."""
        job = self.running.pop(number, None)
        self._estimate = None
        return job

    def progress_of_jobs(self, now: float) -> list[tuple[str, str]]:
        """Return title and progress of the running jobs that do something, in the order of their start."""
        jobs = sorted(self.running.items(), key=lambda item: item[1].begin)
        return [(job.title, self._progress_of(number, job, now)) for number, job in jobs if job.is_shown]

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

    def _progress_of(self, number: int, job: RunningJob, now: float) -> str:
        words = job.log.words(now)
        if words:
            return ", ".join(words)
        elapsed, expected = now - job.begin, self._typical(number, job.rule)
        return clock(elapsed) if expected is None or elapsed > expected else f"{clock(elapsed)} of {clock(expected)}"

    def _remaining(self, now: float) -> float | None:
        if not self.plan.jobs:
            return None
        pending: dict[int, float] = {}
        for number, job in self.plan.jobs.items():
            if number in self._done or number in self.running:
                continue
            seconds = self._typical(number, job.rule, now)
            if seconds is None:
                return None
            pending[number] = seconds
        running: dict[int, float] = {}
        for number, job in self.running.items():
            left = self._left_of(number, job, now)
            if left is None or number not in self.plan.jobs:
                return None
            running[number] = left
        return self.plan.remaining_seconds(pending, running)

    def _left_of(self, number: int, job: RunningJob, now: float) -> float | None:
        own = job.log.seconds_left(now)
        if own is not None:
            return own
        typical = self._typical(number, job.rule, now)
        return None if typical is None else max(typical - (now - job.begin), 0.0)

    def _expected(self, number: int, rule: str) -> TimedJob:
        return self.plan.jobs.get(number, TimedJob(rule, None))

    def _typical(self, number: int, rule: str, now: float | None = None) -> float | None:
        """Return the seconds of a job: its expectation, corrected by what jobs of its rule have taken in this run."""
        expected = self._expected(number, rule).seconds
        measured = [*self._measured.get(rule, ()), *(self._estimated(rule, now) if now is not None else ())]
        if expected is None:
            return sum(seconds for seconds, _ in measured) / len(measured) if measured else None
        pairs = [(seconds, own) for seconds, own in measured if own]
        if not pairs:
            return expected
        return expected * sum(seconds for seconds, _ in pairs) / sum(own for _, own in pairs)

    def _estimated(self, rule: str, now: float) -> Iterator[tuple[float, float | None]]:
        """Yield the seconds of running jobs of a rule that estimate their own time."""
        for number, job in self.running.items():
            left = job.log.seconds_left(now) if job.rule == rule else None
            if left is not None:
                yield now - job.begin + left, self._expected(number, rule).seconds
