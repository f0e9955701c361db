"""Expected durations of jobs: benchmarks of the last run, the forecast, the demo."""

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
    read_benchmark,
)

HEADINGS = "s\th:m:s\tmax_rss\n"


def benchmark(path: Path, seconds: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADINGS}{seconds}\t0:05:18\t977.05\n")
    return path


def train(variant: str, path: Path | None = None) -> Job:
    return Job("train", {"variant": variant, "seed": "0"}, path)


def no_forecast(jobs: list[Job]) -> Forecasts:
    raise AssertionError(jobs)


def test_the_last_run_of_a_job_comes_first_then_its_rule(tmp_path: Path) -> None:
    own = benchmark(tmp_path / "train" / "r_sine" / "seed0.tsv", 300.0)
    benchmark(tmp_path / "train" / "h_sine" / "seed0.tsv", 100.0)
    new = tmp_path / "train" / "new" / "seed0.tsv"
    assert expected_seconds([train("r_sine", own), train("new", new)], tmp_path, no_forecast) == [300.0, 200.0]


def test_without_benchmarks_trainings_are_forecast_and_the_rest_is_like_the_demo(tmp_path: Path) -> None:
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


@pytest.mark.parametrize("text", ["", HEADINGS, "a\tb\n1\t2\n", f"{HEADINGS}NA\tNA\n", "\x00"])
def test_a_damaged_benchmark_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "job.tsv"
    path.write_text(text)
    assert read_benchmark(path) is None
    assert read_benchmark(tmp_path / "missing.tsv") is None


def test_the_forecast_is_of_one_job() -> None:
    plan = plan_of(training={"epochs": 10}, forecast={"training_tflops": 0.5, "inference_tflops": 1.0})
    setting = {"dataset": "synthetic", "split": "val", "boxes": "ground_truth"}
    jobs = [train("r_sine"), Job("predict", {"variant": "r_sine", "seed": "0", **setting}, None)]
    found = forecast_seconds(plan, jobs, networks("GPU"))
    passes = 2 if plan.study.protocol.flip_test else 1
    assert found["predict", "r_sine"] == pytest.approx(2 * WORK.macs * passes * 100 / 1e12)
    assert found["train", "r_sine"] > 3 * 2 * WORK.macs * 1000 * 10 / 0.5e12
