"""Expected durations, corrected by those that jobs have had."""

import pytest

from transpose.terminal.durations import Durations, Measured


def test_a_rule_is_corrected_by_its_own_jobs_and_others_by_all() -> None:
    durations = Durations.of([Measured("a", 30.0, 10.0), Measured("a", 50.0, 30.0), Measured("b", 20.0, 10.0)])
    assert durations.seconds("a", 5.0) == pytest.approx(10.0)
    assert durations.seconds("new", 5.0) == pytest.approx(5.0 * 100 / 50)


def test_a_job_without_expectation_is_like_the_others_of_its_rule() -> None:
    durations = Durations.of([Measured("a", 30.0, None), Measured("a", 50.0, None)])
    assert durations.seconds("a", None) == 40.0
    assert durations.seconds("b", None) is None


def test_before_the_first_job_expectations_count_as_they_are() -> None:
    assert Durations.of([]).seconds("a", 5.0) == 5.0
    assert Durations.of([Measured("all", 0.0, 0.0)]).seconds("a", 5.0) == 5.0
