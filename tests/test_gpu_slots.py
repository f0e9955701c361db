"""GPUs are reserved by processes; the devices are made up, the locks are real."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from transpose.errors import InputError
from transpose.gpu_slots import reserve_gpus, visible_gpus

DEVICES = ["0", "1", "2", "3"]
HOLDER = """
import os, sys
from pathlib import Path
from transpose.gpu_slots import reserve_gpus
reserve_gpus(int(sys.argv[1]), sys.argv[3:], Path(sys.argv[2]))
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


class Holder:
    """A process that reserves GPUs and keeps them until its input is closed."""

    def __init__(self, number: int, folder: Path) -> None:
        command = [sys.executable, "-c", HOLDER, str(number), str(folder), *DEVICES]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def gpus(self) -> list[str]:
        """Wait until it has them."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip().split(",")

    def end(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait()


@pytest.fixture
def holders() -> Iterator[list[Holder]]:
    started: list[Holder] = []
    yield started
    for holder in started:
        holder.end()
        assert holder.process.stdin is not None
        assert holder.process.stdout is not None
        holder.process.stdin.close()
        holder.process.stdout.close()


def test_jobs_at_the_same_time_have_different_gpus(tmp_path: Path, holders: list[Holder]) -> None:
    holders += [Holder(number, tmp_path) for number in (1, 2, 1)]
    assert sorted(gpu for holder in holders for gpu in holder.gpus()) == DEVICES


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_jobs_gpu_is_free_at_once(tmp_path: Path, holders: list[Holder], number: int) -> None:
    holders += [Holder(1, tmp_path) for _ in DEVICES]
    taken = [holder.gpus() for holder in holders]
    holders[2].end(number)
    holders.append(Holder(1, tmp_path))
    assert holders[-1].gpus() == taken[2]


def test_a_job_of_several_waits_without_keeping_part_of_them(
    tmp_path: Path, holders: list[Holder], monkeypatch: pytest.MonkeyPatch
) -> None:
    holders.append(Holder(3, tmp_path))
    first = holders[0].gpus()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    def another_takes_the_free_one(_: float) -> None:
        if len(holders) == 1:
            holders.append(Holder(1, tmp_path))
            assert {*first, *holders[1].gpus()} == {*DEVICES}
            holders[0].end()

    assert reserve_gpus(2, DEVICES, tmp_path, another_takes_the_free_one) == first[:2]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ",".join(first[:2])


def test_more_gpus_than_there_are_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="GPUs: 5 were requested, and this machine has 4"):
        reserve_gpus(5, DEVICES, tmp_path)


def test_gpus_are_chosen_among_the_visible_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-7f")
    assert visible_gpus() == ["2", "GPU-7f"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
