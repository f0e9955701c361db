"""The state of a run: running jobs, the estimated time left and the share of it that has passed."""

from pathlib import Path

import pytest

from transpose.terminal.job_log import JobLog
from transpose.terminal.remaining import RunPlan, TimedJob
from transpose.terminal.state import RunningJob, RunState


def state_of(*seconds: float | None) -> RunState:
    """A run of jobs of one rule on one core."""
    jobs = {number: TimedJob("a", each) for number, each in enumerate(seconds)}
    return RunState(RunPlan(jobs, cores=1), total=len(jobs))


def start(state: RunState, number: int, begin: float, log: JobLog | None = None) -> None:
    state.start(number, RunningJob(f"job {number}", "a", begin, log or JobLog(None, 0.0)))


def test_time_passes() -> None:
    state = state_of(10.0, 30.0)
    assert (state.seconds_left(0.0), state.fraction(0.0)) == (40.0, None)
    start(state, 0, 0.0)
    assert state.seconds_left(4.0) == 36.0
    assert state.fraction(4.0) == pytest.approx(0.1)
    state.finish(0, 10.0)
    start(state, 1, 10.0)
    assert state.fraction(10.0) == pytest.approx(0.25)
    state.finish(1, 40.0)
    assert (state.is_done, state.seconds_left(40.0)) == (True, 0.0)


def test_slower_jobs_than_expected_move_the_end() -> None:
    state = state_of(10.0, 30.0)
    start(state, 0, 0.0)
    state.finish(0, 20.0)
    assert state.seconds_left(20.0) == 60.0


def test_a_slow_machine_is_slow_for_the_jobs_of_other_rules_too() -> None:
    jobs = {0: TimedJob("a", 10.0), 1: TimedJob("b", 30.0)}
    state = RunState(RunPlan(jobs, cores=1), total=2)
    start(state, 0, 0.0)
    state.finish(0, 40.0)
    assert state.seconds_left(40.0) == 120.0


def test_an_unknown_duration_is_learnt_from_the_first_job_of_the_rule() -> None:
    state = state_of(None, None)
    start(state, 0, 0.0)
    assert (state.seconds_left(5.0), state.fraction(5.0)) == (None, None)
    state.finish(0, 20.0)
    assert state.seconds_left(20.0) == 20.0


def test_a_training_estimates_its_own_time_and_that_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    state = state_of(None, 10.0)
    start(state, 0, 0.0, JobLog(path, 0.0))
    path.write_text("epoch 1/2 step 1/2 loss 0.1 ETA 0:01:30\n")
    state.read_logs(30.0)
    assert state.progress_of_jobs(30.0) == [("job 0", "epoch 1/2, loss 0.1, ETA 0:01:30")]
    assert state.seconds_left(30.0) == 90.0 + 10.0


def test_jobs_without_words_show_their_time() -> None:
    state = state_of(100.0)
    start(state, 0, 0.0)
    assert state.progress_of_jobs(41.0) == [("job 0", "0:00:41 of 0:01:40")]
    assert state.progress_of_jobs(101.0) == [("job 0", "0:01:41")]


def test_a_failed_job_leaves_the_run_undone() -> None:
    state = state_of(10.0)
    start(state, 0, 0.0)
    failed = state.fail(0)
    assert failed is not None
    state.failed.append(failed.title)
    assert not state.is_done
    assert state.finish(7, 1.0) is None
