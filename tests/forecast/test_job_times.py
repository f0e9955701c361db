"""Expected durations of jobs: logs of the last run, the forecast, the demo."""

from pathlib import Path

import pytest

from tests.forecast.test_plan import WORK, networks, plan_of
from transpose.forecast.job_times import (
    DEMO_SECONDS,
    SHORT_SECONDS,
    Forecasts,
    Job,
    expected_seconds,
    forecast_seconds,
)
from transpose.job_usage import JobUsage


def log(path: Path, seconds: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{JobUsage(seconds, 1.0, 977.0)}\n")
    return path


def train(variant: str, path: Path | None = None) -> Job:
    return Job("train", {"variant": variant, "seed": "0"}, path)


def no_forecast(jobs: list[Job]) -> Forecasts:
    raise AssertionError(jobs)


def test_the_last_run_of_a_job_comes_first_then_its_rule(tmp_path: Path) -> None:
    own = log(tmp_path / "train" / "r_sine" / "seed0.log", 300.0)
    log(tmp_path / "train" / "h_sine" / "seed0.log", 100.0)
    new = tmp_path / "train" / "new" / "seed0.log"
    assert expected_seconds([train("r_sine", own), train("new", new)], tmp_path, no_forecast) == [300.0, 200.0]


def test_without_logs_trainings_are_forecast_and_the_rest_is_like_the_demo(tmp_path: Path) -> None:
    jobs = [train("r_sine"), train("unknown"), Job("faithfulness", {}, None), Job("compare", {}, None)]
    asked: list[list[Job]] = []

    def forecast(new: list[Job]) -> Forecasts:
        asked.append(new)
        return {("train", "r_sine"): 50.0}

    expected = [50.0, None, DEMO_SECONDS["faithfulness"], SHORT_SECONDS]
    assert expected_seconds(jobs, tmp_path / "missing", forecast) == expected
    assert asked == [jobs[:2]]


def test_nothing_is_said_of_a_download(tmp_path: Path) -> None:
    assert expected_seconds([Job("download_archive", {"archive": "val"}, None)], tmp_path, no_forecast) == [None]


def test_the_forecast_is_of_one_job() -> None:
    plan = plan_of(training={"epochs": 10}, forecast={"training_tflops": 0.5, "inference_tflops": 1.0})
    setting = {"dataset": "synthetic", "split": "val", "boxes": "ground_truth"}
    jobs = [train("r_sine"), Job("predict", {"variant": "r_sine", "seed": "0", **setting}, None)]
    found = forecast_seconds(plan, jobs, networks(plan, "GPU"))
    passes = 2 if plan.study.protocol.flip_test else 1
    assert found["predict", "r_sine"] == pytest.approx(2 * WORK.macs * passes * 100 / 1e12)
    assert found["train", "r_sine"] > 3 * 2 * WORK.macs * 1000 * 10 / 0.5e12
