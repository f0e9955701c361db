"""Jobs on a simulated cluster, by hand."""

import pytest

from tools.scale.schedule import Job, Schedule, schedule_jobs
from transpose.errors import InputError


def job(name: str, seconds: float, gpus: int = 1, after: tuple[str, ...] = (), images: float = 0) -> Job:
    return Job(name, seconds, gpus, frozenset(after), images)


def images_per_second(job: Job) -> float:
    return job.images / job.seconds


def test_the_longest_chain_starts_first() -> None:
    jobs = [job("short", 3), job("long", 4), job("head", 2), job("tail", 5, after=("head",))]
    schedule = schedule_jobs(jobs, 1)
    assert schedule.starts == {"head": 0, "tail": 2, "long": 7, "short": 11}
    assert (schedule.seconds, schedule.critical_path, schedule.idle_share) == (14, 7, 0)


def test_more_gpus_than_jobs_are_idle() -> None:
    schedule = schedule_jobs([job("a", 10), job("b", 5, after=("a",))], 4)
    assert schedule.seconds == schedule.critical_path == 15
    assert schedule.idle_share == pytest.approx(1 - 15 / 60)


def test_a_large_job_waits_and_lets_a_small_one_pass() -> None:
    jobs = [job("running", 10), job("large", 8, gpus=2), job("small", 1)]
    schedule = schedule_jobs([job("first", 20, gpus=1), *jobs], 2)
    assert schedule.starts == {"first": 0, "running": 0, "small": 10, "large": 20}


def test_jobs_without_a_gpu_never_wait() -> None:
    schedule = schedule_jobs([job("a", 5), job("table", 1, gpus=0), job("figure", 1, gpus=0)], 1)
    assert schedule.starts == {"a": 0, "table": 0, "figure": 0}


def test_a_job_of_too_many_gpus_is_refused() -> None:
    with pytest.raises(InputError, match="large: gpus: needs more than 2 GPUs"):
        schedule_jobs([job("large", 1, gpus=4)], 2)


def test_the_peak_is_of_jobs_that_run_together() -> None:
    jobs = [job("a", 10, images=100), job("b", 5, images=20), job("c", 5, after=("b",), images=10)]
    assert schedule_jobs(jobs, 2).peak(images_per_second) == 14
    assert schedule_jobs(jobs, 1).peak(images_per_second) == 10


def test_no_jobs_take_no_time() -> None:
    schedule = schedule_jobs([], 4)
    assert isinstance(schedule, Schedule)
    assert schedule.seconds == schedule.critical_path == 0
