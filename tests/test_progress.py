"""Printed progress of a training."""

import io
from pathlib import Path
from typing import Any

import pytest

from transpose import progress
from transpose.progress import TrainingProgress, TrainingState, read_line


class Clock:
    """In the place of the module `time`."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def record(epoch: int, ap: float | None) -> dict[str, Any]:
    return {"epoch": epoch, "loss": 0.25, "validation": None if ap is None else {"AP": ap}}


def test_a_line_every_ten_seconds_with_the_time_that_is_left(clock: Clock) -> None:
    stream = io.StringIO()
    shown = TrainingProgress(3, stream, lambda record: None)
    for step in range(1, 6):
        clock.now += 4
        shown.step(0, step, 5, 0.125)
    # Of 15 steps of 4 s, 3 are done in the first line: 12 are left.
    assert stream.getvalue() == "epoch 1/3 step 3/5 loss 0.125000 ETA 0:00:48\n"
    clock.now += 3600
    shown.step(1, 1, 5, 0.5)
    assert stream.getvalue().splitlines()[1] == "epoch 2/3 step 1/5 loss 0.500000 ETA 1:30:30"


def test_a_resumed_training_counts_only_what_this_process_did(clock: Clock) -> None:
    stream = io.StringIO()
    shown = TrainingProgress(10, stream, lambda record: None)
    clock.now += 20
    shown.step(9, 4, 5, 0.1)
    assert stream.getvalue() == "epoch 10/10 step 4/5 loss 0.100000 ETA 0:00:20\n"


def test_every_epoch_is_printed_and_passed_on_after_it_was_shown() -> None:
    stream = io.StringIO()
    passed: list[tuple[dict[str, Any], int]] = []
    shown = TrainingProgress(2, stream, lambda record: passed.append((record, stream.getvalue().count("\n"))))
    shown.epoch(record(0, None))
    shown.epoch(record(1, 0.5124))
    assert stream.getvalue().splitlines() == [
        "epoch 1/2 done: loss 0.250000, not validated",
        "epoch 2/2 done: loss 0.250000, validation AP 0.512",
    ]
    assert passed == [(record(0, None), 1), (record(1, 0.5124), 2)]


def print_to_a_full_disk(records: list[dict[str, Any]], clock: Clock) -> None:
    with Path("/dev/full").open("w") as stream:
        shown = TrainingProgress(1, stream, records.append)
        clock.now += 60
        shown.step(0, 1, 2, 0.125)
        shown.epoch(record(0, 0.5))


def test_a_log_on_a_full_disk_costs_its_lines_only(clock: Clock) -> None:
    records: list[dict[str, Any]] = []
    with pytest.raises(OSError, match="No space left"):  # from closing it
        print_to_a_full_disk(records, clock)
    assert records == [record(0, 0.5)]


def test_what_was_printed_is_read_again() -> None:
    stream = io.StringIO()
    shown = TrainingProgress(2, stream, lambda record: None)
    shown.epoch(record(0, 0.25))
    shown.epoch(record(1, None))
    first, second = stream.getvalue().splitlines()
    state = read_line(first, None)
    assert state == TrainingState(1, 2, "0.250000", "AP 0.250")
    assert read_line("a warning", state) is state
    stepped = read_line("epoch 2/2 step 7/9 loss 0.125000 ETA 1:00:05", state)
    assert stepped == TrainingState(2, 2, "0.125000", "AP 0.250", 3605.0)
    assert read_line(second, stepped) == TrainingState(2, 2, "0.250000", "AP 0.250")
