"""Kills hit what they aim at, and say what it was doing."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from random import Random

import psutil
import pytest

from transpose.chaos.victims import Aim, kill_somebody

# A job is a shell with a child; here, Snakemake has two of them. Each says that it is up in one write, since both write
# to one pipe.
PARENT = r"""
import subprocess, sys
child = r"import os, sys; os.write(1, b'up\n'); sys.stdin.read()"
job = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])", "transpose"]
jobs = [subprocess.Popen([*job, verb, "--output", f"{verb}.json"]) for verb in ("predict", "evaluate")]
[job.wait() for job in jobs]
"""


@pytest.fixture
def snakemake() -> Iterator[psutil.Process]:
    """A process with two children, each with one of its own."""
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
    """Ended, whether or not its parent has taken note."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def seed_for(aim: Aim) -> Random:
    """Random numbers whose first choice is this aim, and whose signal is SIGKILL."""
    for seed in range(1000):
        random = Random(seed)
        if random.choice(list(Aim)) is aim and random.random() >= 0.2:
            return Random(seed)
    raise AssertionError(aim)


@pytest.mark.parametrize(("aim", "ended"), [(Aim.PROCESS, 1), (Aim.JOB, 2), (Aim.SNAKEMAKE, 1), (Aim.EVERYTHING, 5)])
def test_a_kill_hits_what_it_aims_at(snakemake: psutil.Process, aim: Aim, ended: int) -> None:
    family = [snakemake, *snakemake.children(recursive=True)]
    kill = kill_somebody(snakemake.pid, family, seed_for(aim))
    assert (kill.aim, kill.signal, len(kill.victims)) == (aim, signal.SIGKILL, ended)
    hit_main = aim in (Aim.SNAKEMAKE, Aim.EVERYTHING)
    if not hit_main:
        assert any(verb in kill.victims[0] for verb in ("predict predict.json", "evaluate evaluate.json", "python"))
    while len(dead := [process for process in family if is_dead(process)]) < ended:
        psutil.wait_procs(family, timeout=0.05)
    assert (snakemake in dead) == hit_main
    # A shell that loses its child ends by itself.
    assert len(dead) <= (ended + 1 if aim is Aim.PROCESS else ended)


def test_who_is_gone_already_is_no_victim(snakemake: psutil.Process) -> None:
    family = [snakemake, *snakemake.children(recursive=True)]
    for process in family:
        process.kill()
    psutil.wait_procs(family, timeout=10)
    assert kill_somebody(snakemake.pid, family, seed_for(Aim.EVERYTHING)).victims == ()


def test_before_the_first_job_there_is_only_snakemake(snakemake: psutil.Process) -> None:
    kill = kill_somebody(snakemake.pid, [snakemake], seed_for(Aim.JOB))
    assert len(kill.victims) == 1
