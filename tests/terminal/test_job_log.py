"""Progress of running jobs by their logs, and the last lines of failed ones."""

import os
import time
from pathlib import Path

import pytest

from transpose.terminal.job_log import LAST_LINES, JobLog, last_lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "job.log"


def add(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def test_a_training_has_epoch_loss_accuracy_and_time_left(path: Path) -> None:
    log = JobLog(path, time.time())
    log.read(0.0)
    assert log.words(0.0) == []
    add(path, "some warning\nepoch 1/12 step 5/100 loss 0.001234 ETA 0:01:00\nepoch 1/12 st")
    log.read(1.0)
    assert log.words(11.0) == ["epoch 1/12", "loss 0.001234", "ETA 0:00:50"]
    add(path, "ep 9/100 loss 0.001 ETA 0:00:30\nepoch 1/12 done: loss 0.0009, validation AP 0.312\n")
    log.read(12.0)
    assert log.words(12.0) == ["epoch 1/12", "loss 0.0009", "AP 0.312", "ETA 0:00:30"]
    add(path, "epoch 2/12 done: loss 0.0008, not validated\n")
    log.read(13.0)
    assert log.words(100.0) == ["epoch 2/12", "loss 0.0008", "AP 0.312", "ETA 0:00:00"]
    assert (log.result, log.seconds_left(13.0)) == ("AP 0.312", 29.0)


def test_a_restarted_log_is_read_from_its_start(path: Path) -> None:
    log = JobLog(path, time.time())
    add(path, "epoch 9/12 step 5/100 loss 0.1 ETA 0:01:00\nanother line\n")
    log.read(0.0)
    path.write_text("epoch 1/12 step 5/100 loss 0.2 ETA 0:02:00\n")
    log.read(1.0)
    assert log.words(1.0)[0] == "epoch 1/12"


def test_the_log_of_the_last_run_does_not_count(path: Path) -> None:
    add(path, "epoch 9/12 step 5/100 loss 0.1 ETA 0:01:00\n")
    os.utime(path, (1.0, 1.0))
    log = JobLog(path, time.time())
    log.read(0.0)
    assert log.words(0.0) == []


def test_a_progress_bar_has_its_share_and_time_left(path: Path) -> None:
    log = JobLog(path, time.time())
    add(path, "synthesise train:   3%|▎         | 9/300 [00:01<00:48,  6.05img/s]\r")
    add(path, "synthesise train:  50%|█████     | 150/300 [00:24<01:02:03,  6.05img/s]\r")
    log.read(0.0)
    assert log.words(3.0) == ["50 %", "ETA 1:02:00"]


def test_a_job_without_a_log_is_silent() -> None:
    log = JobLog(None, 0.0)
    log.read(0.0)
    assert (log.words(0.0), log.seconds_left(0.0), log.result) == ([], None, None)


def test_a_failed_job_shows_the_last_lines_of_each_log(path: Path, tmp_path: Path) -> None:
    path.write_text("".join(f"line {number}\n" for number in range(100)))
    empty = tmp_path / "empty.log"
    empty.touch()
    lines = last_lines([path, empty, tmp_path / "missing.log"])
    assert lines[0] == f"  log: {path}, its last {LAST_LINES} of 100 lines:"
    assert lines[1:-2] == [f"line {number}" for number in range(100 - LAST_LINES, 100)]
    assert lines[-2:] == [f"  log: {empty} (empty)", f"  log: {tmp_path / 'missing.log'} (No such file or directory)"]
