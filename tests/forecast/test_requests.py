"""What jobs request from a cluster: by hand for values, and for each job of the paper's study."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tests.forecast.test_plan import WORK, networks, plan_of
from tools.fault_injection.checkout import copy_clone
from transpose.forecast.requests import LONGEST_TRAINING_MINUTES, JobRequests, more_on_retry
from transpose.forecast.work import DeviceKind
from transpose.study.job_threads import JobThreads

RUN = SimpleNamespace(variant="r_sine")
PREDICTION = SimpleNamespace(variant="r_sine", dataset="synthetic", split="val", boxes="ground_truth")


def requests(device: DeviceKind = "GPU", is_needed: bool = True, **study: Any) -> JobRequests:
    plan = plan_of(**study)
    threads = JobThreads(plan, 8, are_shared=False, on_gpu=device == "GPU")
    return JobRequests(plan, threads, lambda: networks(plan, device), lambda: is_needed)


def test_time_is_twice_the_forecast_and_a_start() -> None:
    # 1 TFLOP/s: a crop takes 10e6 operations; 1000 persons, a billion epochs.
    training = {"epochs": 60_000, "validation_interval": 60_000}
    asked = requests(training=training, forecast={"training_tflops": 1.0}).training["runtime"]
    assert asked(RUN, attempt=1) == pytest.approx(15 + 2 * 60_000 * 1000 * 2 * WORK.macs * 3 / 1e12 / 60, abs=1)


def test_a_long_training_is_continued_instead_of_given_more_time() -> None:
    asked = requests(training={"epochs": 10**9}).training["runtime"]
    assert [asked(RUN, attempt=attempt) for attempt in (1, 2)] == [LONGEST_TRAINING_MINUTES] * 2


def test_a_retry_gets_more_memory_and_time() -> None:
    asked = requests()
    for request in (asked.training["mem_mb"], asked.prediction["mem_mb"], asked.prediction["runtime"]):
        first, second = (request(PREDICTION, attempt=attempt) for attempt in (1, 2))
        assert second == 2 * first
    assert more_on_retry(30)(None, attempt=3) == 120


def test_memory_counts_loading_processes_and_on_a_cpu_the_step() -> None:
    training = {"workers": 2, "batch_size": 8}
    overrides = {"r_sine": {"gpus": 2}}
    gpu = requests(training=training, overrides=overrides).training["mem_mb"](RUN, attempt=1)
    annotations = 1000 * 12_000 >> 20
    assert gpu == 2 * (3000 + 2 * 700 + annotations) + 1000
    # One task for each process.
    cpus = requests("CPU", training=training, overrides=overrides).training["cpus_per_task"]
    assert cpus(RUN, attempt=1) == 8 + 2
    cpus = requests("GPU", training=training, overrides=overrides).training["cpus_per_task"]
    assert cpus(RUN, attempt=1) == 1 + 2
    assert requests(training=training).prediction["cpus_per_task"](PREDICTION, threads=5, attempt=1) == 5 + 2


def test_nothing_is_measured_for_a_local_run() -> None:
    def refuse() -> Any:
        raise AssertionError

    plan = plan_of()
    asked = JobRequests(plan, JobThreads(plan, 8, are_shared=True, on_gpu=False), refuse, lambda: False)
    assert asked.training["runtime"](RUN, attempt=1) == LONGEST_TRAINING_MINUTES
    assert asked.prediction["runtime"](PREDICTION, attempt=1) > 0
    assert asked.training["mem_mb"](RUN, attempt=1) > 0


PLANNED_JOBS = """
import json, sys
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import ConfigSettings, DAGSettings, OutputSettings, ResourceSettings

with SnakemakeApi(OutputSettings(dryrun=True)) as api:
    workflow = api.workflow(
        resource_settings=ResourceSettings(nodes=100),
        config_settings=ConfigSettings(configfiles=[Path("config/config.yaml")]),
        snakefile=Path("Snakefile"),
    )
    workflow.dag(DAGSettings(forceall=True)).execute_workflow(executor="dryrun")
    for job in workflow._workflow.dag.jobs:
        print("JOB", json.dumps([job.rule.name, {name: value for name, value in job.resources.items()}]))
"""

NODE = {"threads": 64, "mem_mb": 128_000, "disk_mb": 60_000, "gpu": 8, "runtime": 7 * 24 * 60}
"""No job of the paper's study may ask for more."""


@pytest.mark.slow
def test_no_job_of_the_papers_study_asks_for_more_than_a_node(tmp_path: Path) -> None:
    copy_clone(tmp_path)
    paper = yaml.safe_load((tmp_path / "config" / "studies" / "paper.yaml").read_text())
    paper["training"] = paper.get("training", {}) | {"device": "cuda"}
    (tmp_path / "config" / "config.yaml").write_text(yaml.safe_dump(paper))
    done = subprocess.run(
        [sys.executable, "-c", PLANNED_JOBS],
        cwd=tmp_path,
        # As in a job of Slurm.
        env=os.environ | {"TRANSPOSE_UNDER_SLURM": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
    )
    lines = (done.stdout + done.stderr).splitlines()
    jobs = [json.loads(line.removeprefix("JOB ")) for line in lines if line.startswith("JOB ")]
    assert len(jobs) > 100, done.stderr[-2000:]
    for rule, resources in jobs:
        if rule == "all":
            continue
        asked = resources | {"threads": max(resources["_cores"], resources.get("cpus_per_task", 1))}
        assert {"mem_mb", "disk_mb", "runtime"} <= asked.keys(), rule
        assert all(asked.get(name, 0) <= most for name, most in NODE.items()), (rule, asked)
    assert {rule for rule, resources in jobs if resources.get("gpu")} >= {"train", "predict", "explain", "cost"}
    trainings = [resources for rule, resources in jobs if rule == "train"]
    several = [[one[name] for name in ("gpu", "tasks", "slurm_tasks", "mpi")] for one in trainings if "mpi" in one]
    assert several
    assert all(one == [one[0], one[0], one[0], "srun"] for one in several)
    assert all(one["gpu"] == 1 and "tasks" not in one for one in trainings if "mpi" not in one)
