"""What runs again is said in one line for each cause, with the value that changed."""

from pathlib import Path
from typing import Any

import pytest

from transpose.config.base import read_yaml
from transpose.study.causes import PlannedJob, render_causes
from transpose.study.content import InputContent
from transpose.study.plan import Plan
from transpose.study.training_keys import TrainingKeys

CONFIG = Path(__file__).parents[2] / "config"
OLD, NEW = "0" * 12, "1" * 12


def job(rule: str, old: Any = (), new: Any = (), files: Any = (), forced: bool = False) -> PlannedJob:
    return PlannedJob(rule, {"variant": "r_sine", "seed": "0"}, old, new, files, forced)


@pytest.fixture
def render(tmp_path: Path) -> Any:
    """Causes of jobs, in a study whose protocol had no flip test when its records were written."""
    values = read_yaml(CONFIG / "config.yaml") | {"results": str(tmp_path / "results")}
    before = Plan.of_config(values | {"protocol": values.get("protocol", {}) | {"flip_test": False}}, CONFIG)
    before.write_records(before.layout)
    plan = Plan.of_config(values, CONFIG)
    keys = TrainingKeys(plan, InputContent(tmp_path / "content.json"))
    return lambda *jobs: render_causes(jobs, plan, keys).splitlines()


def test_a_changed_setting_is_named_once_for_all_jobs_of_a_rule(render: Any) -> None:
    changed = job("predict", [f"'protocol:{OLD}'"], [f"'protocol:{NEW}'"])
    assert render(changed, changed) == [
        "Runs again, with all that depends on it:",
        "  predict: protocol.flip_test was false, is true (2 jobs)",
    ]


def test_only_the_file_that_changed_is_named(render: Any) -> None:
    old, new = (f"['boxes:{OLD}', 'weights:{digest}']" for digest in (OLD, NEW))
    assert render(job("predict", [old], [new]))[1:] == ["  predict: its weights have other content"]


@pytest.mark.parametrize(
    ("planned", "line"),
    [
        (job("evaluate", [f"'code:{OLD}'"], [f"'code:{NEW}'"]), "evaluate: its code has changed"),
        (job("evaluate", ["3"], ["4"]), "evaluate: a parameter of its command has changed"),
        (job("compare", files=["published.yaml"]), "compare: published.yaml is new"),
        (job("cost", forced=True), "cost: forced"),
        (job("train", [f"'training:{OLD}'"], [f"'training:{NEW}'"]), "train r_sine/seed0: it has no run record"),
    ],
)
def test_other_causes(render: Any, planned: PlannedJob, line: str) -> None:
    assert render(planned)[1:] == [f"  {line}"]


def test_nothing_to_run_again_is_no_text(render: Any) -> None:
    assert render(job("evaluate")) == []
