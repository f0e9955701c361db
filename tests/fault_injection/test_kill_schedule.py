"""Kills are spread over the whole study, even if it loses work."""

import os
from pathlib import Path
from random import Random

import pytest

from tools.fault_injection.checkout import Checkout
from tools.fault_injection.schedule import KillSchedule
from transpose.files import write_text

BEGIN = 1_000_000.0


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A study that made three files after 2, 10 and 40 seconds."""
    for name, seconds in (("first", 2), ("second", 10), ("third", 40)):
        write_text(tmp_path / "results" / name, name)
        os.utime(tmp_path / "results" / name, (BEGIN + seconds, BEGIN + seconds))
    return Checkout(tmp_path, "results", "resources")


def test_a_file_counts_for_the_time_since_the_one_before(checkout: Checkout) -> None:
    schedule = KillSchedule.of(checkout, BEGIN, BEGIN + 41)
    assert (schedule.start, schedule.seconds) == (2, 41)
    assert schedule.left(checkout) == 0
    (checkout.folder / "results" / "second").unlink()
    assert schedule.left(checkout) == 8
    (checkout.folder / "results" / "third").unlink()
    assert schedule.left(checkout) == 38


def test_what_was_there_before_the_start_counts_for_nothing(checkout: Checkout) -> None:
    assert KillSchedule.of(checkout, BEGIN + 5, BEGIN + 41).moments.keys() == {"results/second", "results/third"}


def test_kills_that_are_left_share_the_work_that_is_left(checkout: Checkout) -> None:
    schedule = KillSchedule.of(checkout, BEGIN, BEGIN + 41)
    (checkout.folder / "results" / "third").unlink()
    delays = [schedule.delay(checkout, 9, Random(seed)) for seed in range(200)]
    assert max(delays) <= 2 * 2 + 1.5 * 30 / 10
    assert 3.5 < sum(delays) / len(delays) < 5
