"""What is known of this machine without torch."""

import os
import platform
import shutil
import subprocess
import sys

import pytest

from transpose import machine
from transpose.machine import cpu_name, given_threads, has_gpu, has_nvidia_gpu, share_threads, usable_cores


def test_the_cpu_has_a_name() -> None:
    assert cpu_name()


@pytest.mark.parametrize(
    ("tool", "system", "processor", "nvidia", "any_gpu"),
    [
        ("/usr/bin/nvidia-smi", "Linux", "x86_64", True, True),
        (None, "Linux", "x86_64", False, False),
        (None, "Darwin", "arm64", False, True),
        (None, "Darwin", "x86_64", False, False),
    ],
)
def test_a_gpu_is_nvidias_or_apples(
    monkeypatch: pytest.MonkeyPatch, tool: str | None, system: str, processor: str, nvidia: bool, any_gpu: bool
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: tool)
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: processor)
    assert (has_nvidia_gpu(), has_gpu()) == (nvidia, any_gpu)


@pytest.mark.parametrize("system_says", [{0, 2, 3}, None])
def test_usable_cores(monkeypatch: pytest.MonkeyPatch, system_says: set[int] | None) -> None:
    if system_says is None:
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: 3)
    else:
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: system_says, raising=False)
    assert usable_cores() == 3


def test_torch_is_not_imported() -> None:
    code = "import sys, transpose.machine; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("given", "threads"), [(None, 5), ("3", 3), ("4,2", 4), (" 6 ", 6), ("", 5), ("0", 5), ("-2", 5), ("many", 5)]
)
def test_a_process_has_the_threads_that_it_is_given_or_all_cores(
    monkeypatch: pytest.MonkeyPatch, given: str | None, threads: int
) -> None:
    monkeypatch.setattr(machine, "usable_cores", lambda: 5)
    if given is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert given_threads() == threads


@pytest.mark.parametrize(("processes", "share"), [(1, 8), (3, 2), (9, 1)])
def test_processes_share_the_threads_that_are_given(
    monkeypatch: pytest.MonkeyPatch, processes: int, share: int
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert share_threads(processes) == share
    assert given_threads() == share
