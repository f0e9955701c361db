"""The time left of a run, by scheduling its jobs."""

import math

import pytest

from transpose.terminal.remaining import RunPlan, TimedJob


def plan_of(jobs: dict[int, TimedJob], cores: float = 2, gpus: float = math.inf) -> tuple[RunPlan, dict[int, float]]:
    return RunPlan(jobs, cores, gpus), {number: job.seconds or 0.0 for number, job in jobs.items()}


def test_independent_jobs_share_the_cores() -> None:
    plan, seconds = plan_of({number: TimedJob("a", 10.0) for number in range(4)})
    assert plan.remaining_seconds(seconds, {}) == 20.0


def test_a_job_waits_for_those_before_it() -> None:
    plan, seconds = plan_of({0: TimedJob("all", 1.0, after=frozenset({1})), 1: TimedJob("a", 10.0)})
    assert plan.remaining_seconds(seconds, {}) == 11.0
    assert plan.remaining_seconds({0: 1.0}, {1: 4.0}) == 5.0
    assert plan.remaining_seconds({0: 1.0}, {}) == 1.0


def test_the_longest_job_starts_first() -> None:
    plan, seconds = plan_of({0: TimedJob("a", 10.0), 1: TimedJob("a", 10.0), 2: TimedJob("b", 20.0)})
    assert plan.remaining_seconds(seconds, {}) == 20.0


def test_threads_and_gpus_are_limits() -> None:
    wide, seconds = plan_of({0: TimedJob("a", 10.0, threads=2), 1: TimedJob("a", 10.0, threads=8)})
    assert wide.remaining_seconds(seconds, {}) == 20.0
    one_gpu, seconds = plan_of({0: TimedJob("a", 10.0, gpus=1), 1: TimedJob("a", 10.0, gpus=1)}, gpus=1)
    assert one_gpu.remaining_seconds(seconds, {}) == 20.0
    cluster, seconds = plan_of({number: TimedJob("a", 10.0, threads=8) for number in range(50)}, cores=math.inf)
    assert cluster.remaining_seconds(seconds, {}) == 10.0


def test_a_job_that_fits_nowhere_runs_alone() -> None:
    plan, seconds = plan_of({0: TimedJob("a", 10.0, gpus=2), 1: TimedJob("a", 5.0)}, gpus=1)
    assert plan.remaining_seconds(seconds, {}) in (10.0, 15.0)


def test_nothing_left_takes_no_time() -> None:
    assert RunPlan({}).remaining_seconds({}, {}) == 0.0


@pytest.mark.parametrize("count", [3000])
def test_thousands_of_jobs_are_no_burden(count: int) -> None:
    chain = {number: TimedJob("a", 1.0, after=frozenset({number - 1} if number else ())) for number in range(count)}
    wide = {count + number: TimedJob("b", 1.0) for number in range(count)}
    plan, seconds = plan_of(chain | wide)
    assert plan.remaining_seconds(seconds, {}) == count
