"""A study undisturbed, the same study under fire, and what differs between them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from transpose.chaos.checkout import Checkout
from transpose.chaos.clock import Clock
from transpose.chaos.outcome import Outcome
from transpose.chaos.pipeline import COMMAND, UNLOCK, Pipeline, is_locked, processes_in, tracebacks_in, wait_for_orphans
from transpose.chaos.victims import Kill, kill_all, kill_somebody
from transpose.errors import InputError

_PATIENCE = 20
"""Of how many times its undisturbed duration a study is given up, when nobody kills it any more."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Verdict:
    """How it ended: `differences` and `faults` have a line for each thing that is not as it should be."""

    undisturbed: Outcome
    under_fire: tuple[Outcome, ...]
    differences: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.differences


def run_chaos(study: Path, kills: int, seed: int, folder: Path, tell: Tell) -> Verdict:
    """Run a study undisturbed, then under fire until the kills are spent and it has ended, and compare.

    After each kill the documented command starts again: `snakemake --unlock` where Snakemake itself was killed, then
    `snakemake`. A study that ends before its kills are spent is followed by another one in a folder of its own.

    Args:
        study: YAML file of this clone's form; it should take a minute or two on two cores.
        folder: new; holds the checkouts and Snakemake's logs afterwards.
        tell: is given the log, line by line.

    Raises:
        InputError: the study or the folder cannot be used, or the undisturbed study fails.
    """
    random = Random(seed)
    tell(f"study {study}, {kills} kills, seed {seed}")
    clone = Checkout.make(folder / "clone", study)
    checkout = clone.copy(folder / "undisturbed")
    clock = _run_undisturbed(checkout, folder)
    undisturbed = Outcome.of(checkout)
    tell(f"undisturbed: {clock.seconds:.0f} s, {len(undisturbed.digests)} files and runs, {undisturbed.digest()}")
    lines = [f"undisturbed: {fault}" for fault in undisturbed.faults]
    outcomes, left = [], kills
    while left or not outcomes:
        name = f"under_fire_{len(outcomes) + 1}"
        fire = _Fire(clone.copy(folder / name), folder / f"{name}.logs", clock, random, tell, left)
        try:
            fire.run()
        finally:
            kill_all(processes_in(fire.checkout))
        left = fire.kills_left
        outcome = Outcome.of(fire.checkout)
        outcomes.append(outcome)
        wrong = (*fire.tracebacks, *outcome.faults, *outcome.differences(undisturbed))
        lines += [f"{name}: {line}" for line in wrong]
        tell(f"{name}: {fire.seconds:.0f} s, {fire.starts} starts, {outcome.digest()}")
    return Verdict(undisturbed, tuple(outcomes), tuple(lines))


def _run_undisturbed(checkout: Checkout, folder: Path) -> Clock:
    begin = time.time()
    pipeline = Pipeline(checkout, folder / "undisturbed.log")
    try:
        pipeline.ended_within(None)
    finally:
        kill_all(processes_in(checkout))
    if pipeline.status:
        raise InputError(pipeline.log, None, None, f"the undisturbed study failed: {pipeline.message()}")
    return Clock.of(checkout, begin, time.time())


@dataclass
class _Fire:
    """One study under fire, from its first start to its good end."""

    checkout: Checkout
    logs: Path
    clock: Clock
    random: Random
    tell: Tell
    kills_left: int
    starts: int = 0
    tracebacks: list[str] = field(default_factory=list)
    """One line for each log that ended in one: a kill of somebody else is no excuse for it."""
    begin: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.begin

    def run(self) -> None:
        """Start again and again until a start ends well.

        Raises:
            InputError: starts fail though nothing was killed and nothing runs beside them.
        """
        self.logs.mkdir()
        unprovoked = 0
        while True:
            before = self.kills_left
            pipeline = self._start()
            self.tracebacks += tracebacks_in(self.checkout, pipeline.log)
            if pipeline.status == 0:
                wait_for_orphans(self.checkout, _PATIENCE * self.clock.seconds)
                return
            if self.kills_left < before:
                self.tell(f"      start {self.starts} ended with status {pipeline.status}")
                unprovoked = 0
                continue
            unprovoked += 1
            waited = wait_for_orphans(self.checkout, _PATIENCE * self.clock.seconds)
            self.tell(
                f"      start {self.starts} ended by itself: {pipeline.message()}; orphans waited for {waited:.0f} s"
            )
            if unprovoked > 2:
                raise InputError(pipeline.log, None, None, f"does not recover: {pipeline.message()}")

    def _start(self) -> Pipeline:
        """The documented command, once, under fire."""
        self.starts += 1
        if is_locked(self.checkout):
            unlock = Pipeline(self.checkout, self.logs / f"{self.starts:03d}.unlock.log", UNLOCK)
            if unlock.status:
                raise InputError(unlock.log, None, None, f"does not unlock: {unlock.message()}")
        pipeline = Pipeline(self.checkout, self.logs / f"{self.starts:03d}.log", COMMAND)
        began = time.monotonic()
        while not pipeline.ended_within(self._delay()):
            if not self.kills_left:
                raise InputError(pipeline.log, None, None, f"still running after {_PATIENCE} times as long")
            kill = kill_somebody(pipeline.pid, processes_in(self.checkout), self.random)
            if kill.victims:
                self.kills_left -= 1
                self._tell_kill(kill, time.monotonic() - began)
        return pipeline

    def _delay(self) -> float:
        if not self.kills_left:
            return _PATIENCE * self.clock.seconds
        return self.clock.delay(self.checkout, self.kills_left, self.random)

    def _tell_kill(self, kill: Kill, seconds: float) -> None:
        share = 1 - self.clock.left(self.checkout) / self.clock.seconds
        self.tell(
            f"kill at {self.seconds:5.1f} s, {seconds:4.1f} s after start {self.starts}, {100 * share:3.0f} % made:"
            f" {kill.signal.name} to {kill.aim.value}: {'; '.join(kill.victims)}"
        )
