"""Jobs ask for the study's threads, or for those with which all of them end soonest."""

from pathlib import Path
from typing import Any

import pytest

from transpose.config.base import read_yaml
from transpose.config.study import Analysis
from transpose.study.job_threads import JobThreads, shared_threads
from transpose.study.plan import Plan

CONFIG = Path(__file__).parents[2] / "config"


def threads_of(cores: int = 8, are_shared: bool = True, on_gpu: bool = False, **study: Any) -> JobThreads:
    """Jobs like the demo's, of five models and analyses of four, with threads that the study does not set."""
    demo = read_yaml(CONFIG / "config.yaml") | {"overrides": {}, "training": {}, "protocol": {}, "ablations": []}
    demo["variants"] = ["r_sine", "r_learnable", "r_no_position", "r_no_encoder", "h_sine"]
    demo["attention_analysis"]["variants"] = ["r_sine", "r_learnable", "r_no_position", "h_sine"]
    return JobThreads(Plan.of_config(demo | study, CONFIG), cores, are_shared, on_gpu)


@pytest.mark.parametrize(
    ("cores", "jobs", "threads"),
    [(1, 1, 1), (1, 9, 1), (8, 1, 8), (8, 2, 4), (8, 3, 2), (8, 8, 1), (8, 10, 2), (8, 100, 1), (2, 5, 1), (2, 3, 2)],
)
def test_cores_are_shared_so_that_all_jobs_end_soonest(cores: int, jobs: int, threads: int) -> None:
    assert shared_threads(cores, jobs) == threads


@pytest.mark.parametrize("jobs", [1, 3, 7, 20])
def test_no_job_has_more_threads_than_there_are_cores(jobs: int) -> None:
    assert all(1 <= shared_threads(cores, jobs) <= cores for cores in range(1, 70))


def test_one_training_has_all_cores_and_several_share_them() -> None:
    alone = {"variants": ["r_sine"], **dict.fromkeys(("protocol_ablation", "resolutions", "dtypes"))}
    assert threads_of(**alone, attention_analysis=None).training("r_sine") == 8
    assert threads_of(seeds=2).training("r_sine") == shared_threads(8, 10) == 2


def test_a_number_of_the_study_is_what_jobs_ask_for() -> None:
    study = {"training": {"threads": 3}, "overrides": {"r_sine": {"gpus": 4}}, "protocol": {"threads": 5}}
    for threads in (threads_of(**study), threads_of(on_gpu=True, **study), threads_of(are_shared=False, **study)):
        assert (threads.training("r_sine"), threads.training("h_sine")) == (12, 3)
        assert threads.training_process("r_sine") == 3
        assert {threads.prediction(), threads.page(), threads.attention_maps()} == {5}
        assert {threads.analysis(analysis) for analysis in Analysis} == {5}


def test_the_processes_of_a_training_share_its_threads() -> None:
    threads = threads_of(16, overrides={"r_sine": {"gpus": 2}})
    assert (threads.training("r_sine"), threads.training_process("r_sine")) == (2, 1)
    assert threads.training("h_sine") == 3


def test_on_a_cluster_each_process_has_its_own_cores() -> None:
    threads = threads_of(8, are_shared=False, overrides={"r_sine": {"gpus": 2}})
    assert (threads.training("r_sine"), threads.training_process("r_sine"), threads.prediction()) == (16, 8, 8)


def test_a_gpu_needs_one_thread_for_each_process() -> None:
    threads = threads_of(64, on_gpu=True, overrides={"r_sine": {"gpus": 4}})
    assert (threads.training("r_sine"), threads.training("h_sine"), threads.prediction()) == (4, 1, 1)


def test_an_analysis_of_few_models_has_more_threads_than_predictions_of_all() -> None:
    threads = threads_of(8)
    assert threads.analysis(Analysis.FAITHFULNESS) == 2
    assert threads.analysis(Analysis.PROTOCOLS) == 4
    assert threads.prediction() == 1
