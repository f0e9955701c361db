"""Kills hit the chosen target and describe it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from random import Random

import psutil
import pytest

from tools.fault_injection.targets import Target, kill_random_target

# A job is a shell with a child; here, Snakemake has two jobs. Each child reports its start in a single write, since
# both write to the same pipe.
PARENT = r"""
import subprocess, sys
child = r"import os, sys; os.write(1, b'up\n'); sys.stdin.read()"
job = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])", "transpose"]
jobs = [subprocess.Popen([*job, verb, "--output", f"{verb}.json"]) for verb in ("predict", "evaluate")]
[job.wait() for job in jobs]
"""


@pytest.fixture
def snakemake() -> Iterator[psutil.Process]:
    """A process with two children, each with one child."""
    command = [sys.executable, "-c", PARENT]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert [parent.stdout.readline() for _ in range(2)] == ["up\n"] * 2
        process = psutil.Process(parent.pid)
        family = [process, *process.children(recursive=True)]
        yield process
        for member in family:
            if member.is_running():
                member.kill()


def is_dead(process: psutil.Process) -> bool:
    """Return whether a process has ended, even if its parent has not waited for it yet."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def seed_for(target: Target) -> Random:
    """Return a generator that first draws this target with SIGKILL."""
    for seed in range(1000):
        random = Random(seed)
        if random.choice(list(Target)) is target and random.random() >= 0.2:
            return Random(seed)
    raise AssertionError(target)


@pytest.mark.parametrize(
    ("target", "ended"), [(Target.PROCESS, 1), (Target.JOB, 2), (Target.SNAKEMAKE, 1), (Target.EVERYTHING, 5)]
)
def test_a_kill_hits_its_target(snakemake: psutil.Process, target: Target, ended: int) -> None:
    family = [snakemake, *snakemake.children(recursive=True)]
    kill = kill_random_target(snakemake.pid, family, seed_for(target))
    assert (kill.target, kill.signal, len(kill.targets)) == (target, signal.SIGKILL, ended)
    hit_main = target in (Target.SNAKEMAKE, Target.EVERYTHING)
    if not hit_main:
        assert any(verb in kill.targets[0] for verb in ("predict predict.json", "evaluate evaluate.json", "python"))
    while len(dead := [process for process in family if is_dead(process)]) < ended:
        psutil.wait_procs(family, timeout=0.05)
    assert (snakemake in dead) == hit_main
    # A shell that loses its child ends by itself.
    assert len(dead) <= (ended + 1 if target is Target.PROCESS else ended)


def test_an_ended_process_is_not_counted_as_killed(snakemake: psutil.Process) -> None:
    family = [snakemake, *snakemake.children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=10)
    assert kill_random_target(snakemake.pid, family, seed_for(Target.EVERYTHING)).targets == ()


def test_before_the_first_job_there_is_only_snakemake(snakemake: psutil.Process) -> None:
    kill = kill_random_target(snakemake.pid, [snakemake], seed_for(Target.JOB))
    assert len(kill.targets) == 1
