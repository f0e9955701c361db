"""Times of the workflow's jobs: by hand, and for a study as Snakemake plans it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forecast.test_plan import WORK, networks, plan_of
from tools.fault_injection.checkout import CLONE, copy_clone
from tools.scale.__main__ import changed_values
from tools.scale.schedule import Job
from tools.scale.workflow import ANALYSIS_PREDICTIONS, OTHER_SECONDS, JobTimes, PlannedJob

RUN = {"variant": "r_sine", "seed": "0"}
SETTING = RUN | {"dataset": "synthetic", "split": "val", "boxes": "ground_truth"}
SPEED = {"training_tflops": 1.0, "inference_tflops": 0.5}
PASS_SECONDS = 2 * WORK.macs / 0.5e12


def job_of(rule: str, wildcards: dict[str, str], gpus: int = 1) -> Job:
    plan = plan_of(training={"epochs": 4, "validation_interval": 4}, forecast=SPEED)
    times = JobTimes.of_study(plan, networks(plan, "GPU"))
    (job,) = times.jobs([PlannedJob("job", rule, wildcards, gpus, frozenset())])
    return job


def test_the_gpus_of_a_training_share_its_persons() -> None:
    seconds = 3 * 2 * WORK.macs * 1000 * 4 / 1e12 + 2 * 100 * PASS_SECONDS
    one, two = job_of("train", RUN), job_of("train", RUN, gpus=2)
    assert one.seconds == pytest.approx(seconds)
    assert two.seconds == pytest.approx(seconds / 2)
    assert (one.images, one.writes) == (4 * 1000 + 100, 4)


def test_an_analysis_takes_some_predictions() -> None:
    prediction, analysis = job_of("predict", SETTING), job_of("faithfulness", SETTING)
    assert prediction.seconds == pytest.approx(2 * 100 * PASS_SECONDS)
    assert analysis.seconds == pytest.approx(ANALYSIS_PREDICTIONS * prediction.seconds)


def test_a_split_of_unknown_size_counts_as_the_largest() -> None:
    unknown = job_of("predict", SETTING | {"split": "test"})
    assert unknown.seconds == pytest.approx(2 * 100 * PASS_SECONDS)


def test_other_jobs_take_a_minute() -> None:
    assert job_of("compare", {}, gpus=0).seconds == OTHER_SECONDS


def test_options_change_the_study() -> None:
    study = {"training": {"epochs": 3}, "overrides": {"r_sine": {"batch_size": 4}}}
    assert changed_values(study, None, None, None) == {"training": {"epochs": 3, "device": "cuda"}}
    assert changed_values(study, 3, 8, 50.0) == {
        "seeds": 3,
        "training": {"epochs": 3, "device": "cuda", "gpus": 8},
        "overrides": {"r_sine": {"batch_size": 4, "gpus": 8}},
        "forecast": {"training_tflops": 50.0, "inference_tflops": 50.0},
    }


@pytest.mark.slow
def test_a_study_is_simulated(tmp_path: Path) -> None:
    copy_clone(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "tools.scale", "config/studies/fault_injection.yaml", "--gpus", "2", "--gpus", "8"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(CLONE)},
    )
    assert done.returncode == 0, done.stderr
    heading, _, _, _, few, many = done.stdout.splitlines()
    assert int(heading.split()[0]) == 29
    assert few.startswith("| 2 | 0.")
    assert many.startswith("| 8 | 0.")
