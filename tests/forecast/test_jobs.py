"""Jobs that a forecast counts."""

from pathlib import Path

import pytest

from transpose.config.base import read_yaml
from transpose.config.study import EvalSetting
from transpose.forecast.jobs import Jobs
from transpose.study.layout import RunId
from transpose.study.plan import Plan

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture
def plan() -> Plan:
    return Plan.of_config(read_yaml(CONFIG / "config.yaml") | {"seeds": 2}, CONFIG)


def test_a_whole_study_trains_each_seed_and_predicts_all_evaluations(plan: Plan) -> None:
    jobs = Jobs.of_study(plan)
    assert jobs.trainings == set(plan.training.runs())
    assert len(jobs.predictions) == len(plan.training.runs()) * len(plan.study.settings())
    assert jobs.variants() == set(plan.study.variants)
    assert not jobs.downloads


def test_released_checkpoints_are_not_trained() -> None:
    plan = Plan.of_config(read_yaml(CONFIG / "studies" / "official.yaml"), CONFIG)
    jobs = Jobs.of_study(plan)
    assert not jobs.trainings
    assert len(jobs.variants()) == 5
    assert "val2017" in jobs.downloads


def test_a_finished_study_has_no_jobs(plan: Plan) -> None:
    assert not Jobs.of_rules(plan, [])


def test_jobs_of_rules_that_are_not_counted_are_no_jobs(plan: Plan) -> None:
    submission = {"variant": "r_sine", "seed": "0", "dataset": "coco", "split": "test_dev2017", "boxes": "detector"}
    assert not Jobs.of_rules(plan, [("all", {}), ("compare", {}), ("predict", submission)])


def test_jobs_are_counted_by_their_wildcards(plan: Plan) -> None:
    place = {"variant": "r_sine", "seed": "0", "dataset": "synthetic", "split": "val", "boxes": "simulated"}
    rules = [
        ("train", {"variant": "h_sine", "seed": "1"}),
        ("predict", place),
        ("evaluate", place),
        ("download_archive", {"archive": "val2017"}),
        ("unpack", {"archive": "train2017"}),
    ]
    jobs = Jobs.of_rules(plan, rules)
    assert jobs == Jobs(
        frozenset([RunId("h_sine", 1)]),
        frozenset([(RunId("r_sine", 0), EvalSetting("synthetic", "val", "simulated"))]),
        frozenset(["val2017"]),
        frozenset(["train2017"]),
    )
    assert jobs.variants() == {"h_sine", "r_sine"}
