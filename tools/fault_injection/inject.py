"""Run a study undisturbed and with injected faults, and compare the results."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tools.fault_injection.checkout import Checkout
from tools.fault_injection.outcome import RunOutcome
from tools.fault_injection.pipeline import (
    COMMAND,
    UNLOCK,
    Pipeline,
    is_locked,
    processes_in,
    tracebacks_in,
    wait_for_orphans,
)
from tools.fault_injection.schedule import KillSchedule
from tools.fault_injection.targets import Kill, kill_all, kill_random_target
from transpose.errors import InputError

_PATIENCE = 20
"""After the last kill, a study fails if it takes this many times its undisturbed duration."""

Log = Callable[[str], None]


@dataclass(frozen=True)
class Verdict:
    """Result of fault injection: `differences` has one line per difference or fault."""

    undisturbed: RunOutcome
    faulty: tuple[RunOutcome, ...]
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.differences


def inject_faults(study: Path, kills: int, seed: int, folder: Path, log: Log) -> Verdict:
    """Run a study undisturbed, then with `kills` kills, and compare the results.

    After each kill Snakemake is started again, after `snakemake --unlock` if Snakemake itself was killed. If a study
    ends before all kills are used, another run starts in a new folder.

    Args:
        study: YAML file of a study that takes a minute or two on two cores.
        folder: new folder for the checkouts and the logs of Snakemake.
        log: called with each line of the log.

    Raises:
        InputError: the study or the folder cannot be used, or the undisturbed study fails.
    """
    random = Random(seed)
    log(f"study {study}, {kills} kills, seed {seed}")
    clone = Checkout.make(folder / "clone", study)
    checkout = clone.copy(folder / "undisturbed")
    schedule = _run_undisturbed(checkout, folder)
    undisturbed = RunOutcome.of(checkout)
    log(f"undisturbed: {schedule.seconds:.0f} s, {len(undisturbed.digests)} files and runs, {undisturbed.digest()}")
    lines = [f"undisturbed: {fault}" for fault in undisturbed.faults]
    outcomes, left = [], kills
    while left or not outcomes:
        name, begin = f"faulty_{len(outcomes) + 1}", time.time()
        faulty_run = _FaultyRun(clone.copy(folder / name), folder / f"{name}.logs", schedule, random, log, left)
        try:
            faulty_run.run()
        finally:
            kill_all(processes_in(faulty_run.checkout))
        if faulty_run.kills_left == left:
            # The machine was slower before: the same times of kills would miss the next run too.
            schedule = KillSchedule.of(faulty_run.checkout, begin, time.time())
        left = faulty_run.kills_left
        outcome = RunOutcome.of(faulty_run.checkout)
        outcomes.append(outcome)
        wrong = (*faulty_run.tracebacks, *outcome.faults, *outcome.differences(undisturbed))
        lines += [f"{name}: {line}" for line in wrong]
        log(f"{name}: {faulty_run.seconds:.0f} s, {faulty_run.starts} starts, {outcome.digest()}")
    return Verdict(undisturbed, tuple(outcomes), tuple(lines))


def _run_undisturbed(checkout: Checkout, folder: Path) -> KillSchedule:
    begin = time.time()
    run_to_end(checkout, folder / "undisturbed.log")
    return KillSchedule.of(checkout, begin, time.time())


def run_to_end(checkout: Checkout, log: Path) -> None:
    """Run the study of a checkout without disturbing it.

    Raises:
        InputError: it fails.
    """
    pipeline = Pipeline(checkout, log)
    try:
        pipeline.ended_within(None)
    finally:
        kill_all(processes_in(checkout))
    if pipeline.status:
        raise InputError(f"the undisturbed study failed: {pipeline.message()}", file=pipeline.log)


@dataclass
class _FaultyRun:
    """One study with faults, restarted until it succeeds."""

    checkout: Checkout
    logs: Path
    schedule: KillSchedule
    random: Random
    log: Log
    kills_left: int
    starts: int = 0
    tracebacks: list[str] = field(default_factory=list)
    """One line per log with a traceback: the kill of another process must not cause one."""
    begin: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begin

    def run(self) -> None:
        """Start Snakemake until it succeeds.

        Raises:
            InputError: Snakemake fails repeatedly without a kill and without other running processes.
        """
        self.logs.mkdir()
        unprovoked = 0
        while True:
            before = self.kills_left
            pipeline = self._start()
            self.tracebacks += tracebacks_in(self.checkout, pipeline.log)
            if pipeline.status == 0:
                wait_for_orphans(self.checkout, _PATIENCE * self.schedule.seconds)
                return
            if self.kills_left < before:
                self.log(f"      start {self.starts} ended with status {pipeline.status}")
                unprovoked = 0
                continue
            unprovoked += 1
            waited = wait_for_orphans(self.checkout, _PATIENCE * self.schedule.seconds)
            self.log(
                f"      start {self.starts} failed without a kill: {pipeline.message()};"
                f" waited {waited:.0f} s for orphans"
            )
            if unprovoked > 2:
                raise InputError(f"the study does not recover: {pipeline.message()}", file=pipeline.log)

    def _start(self) -> Pipeline:
        """Run Snakemake once, with faults."""
        self.starts += 1
        if is_locked(self.checkout):
            unlock = Pipeline(self.checkout, self.logs / f"{self.starts:03d}.unlock.log", UNLOCK)
            if unlock.status:
                raise InputError(f"unlocking failed: {unlock.message()}", file=unlock.log)
        pipeline = Pipeline(self.checkout, self.logs / f"{self.starts:03d}.log", COMMAND)
        began = time.monotonic()
        while not pipeline.ended_within(self._delay()):
            if not self.kills_left:
                raise InputError(f"still running after {_PATIENCE} times the undisturbed duration", file=pipeline.log)
            kill = kill_random_target(pipeline.pid, processes_in(self.checkout), self.random)
            if kill.targets:
                self.kills_left -= 1
                self._log_kill(kill, time.monotonic() - began)
        return pipeline

    def _delay(self) -> float:
        if not self.kills_left:
            return _PATIENCE * self.schedule.seconds
        return self.schedule.delay(self.checkout, self.kills_left, self.random)

    def _log_kill(self, kill: Kill, seconds: float) -> None:
        share = 1 - self.schedule.left(self.checkout) / self.schedule.seconds
        self.log(
            f"kill at {self.seconds:5.1f} s, {seconds:4.1f} s after start {self.starts}, {100 * share:3.0f} % done:"
            f" {kill.signal.name} to {kill.target.value}: {'; '.join(kill.targets)}"
        )
