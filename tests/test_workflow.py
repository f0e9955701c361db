"""The plan that the workflow's rules ask."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from transpose.config.base import read_yaml
from transpose.errors import InputError
from transpose.workflow import Plan

CONFIG = Path(__file__).parents[1] / "config"


@dataclass
class Wildcards:
    """As Snakemake hands them to a rule's functions."""

    dataset: str
    split: str
    boxes: str


@pytest.fixture
def demo() -> dict[str, Any]:
    return read_yaml(CONFIG / "config.yaml")


def test_every_run_is_evaluated_everywhere(demo: dict[str, Any]) -> None:
    plan = Plan.of_config(demo | {"seeds": 2}, CONFIG)
    assert len(list(plan.runs())) == 2 * len(demo["variants"])
    boxes = sum(len(evaluation["boxes"]) for evaluation in demo["evaluations"])
    assert len(set(plan.metrics())) == boxes * len(list(plan.runs()))


def test_a_variant_without_encoder_has_nothing_to_explain(demo: dict[str, Any]) -> None:
    plan = Plan.of_config(demo, CONFIG)
    assert plan.explanations_of("r_no_encoder", 0) == []
    assert len(plan.explanations_of("r_sine", 0)) == len(demo["evaluations"])


def test_records_depend_on_values_and_not_on_the_order_of_keys(demo: dict[str, Any]) -> None:
    turned = dict(reversed(demo.items()))
    first, second = (Plan.of_config(values, CONFIG) for values in (demo, turned))
    for kind, name in (("recipes", "r_sine"), ("datasets", "synthetic"), ("protocols", "study")):
        assert first.record(kind, name) == second.record(kind, name)
        assert json.loads(first.record(kind, name))


def test_a_changed_training_key_changes_only_recipes(demo: dict[str, Any]) -> None:
    changed = demo | {"overrides": {"r_sine": {"epochs": 1}}}
    first, second = (Plan.of_config(values, CONFIG) for values in (demo, changed))
    assert first.record("recipes", "r_sine") != second.record("recipes", "r_sine")
    assert first.record("recipes", "r_none") == second.record("recipes", "r_none")
    assert first.record("protocols", "study") == second.record("protocols", "study")


def test_photographs_are_read_where_they_ship(demo: dict[str, Any]) -> None:
    plan = Plan.of_config(demo, CONFIG)
    path = plan.annotations(Wildcards(dataset="photographs", split="val", boxes="ground_truth"))
    assert Path(path).is_file()


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("variants", ["no_such_variant"], "unknown variant 'no_such_variant'"),
        ("train", {"dataset": "no_such_set", "split": "train"}, "unknown data set 'no_such_set'"),
        ("train", {"dataset": "synthetic", "split": "trian"}, "no split 'trian'"),
        ("evaluations", [{"dataset": "synthetic", "split": "val", "boxes": ["gt"]}], "no source 'gt'"),
    ],
)
def test_a_name_that_does_not_exist_is_refused(demo: dict[str, Any], key: str, value: Any, words: str) -> None:
    values = demo | {"ablations": [], "overrides": {}, "protocol_ablation": None, "resolutions": None, key: value}
    with pytest.raises(InputError, match=words):
        Plan.of_config(values, CONFIG)


def test_only_rendered_data_sets_may_be_written_by_the_rendering_rule(demo: dict[str, Any]) -> None:
    plan = Plan.of_config(demo, CONFIG)
    assert re.fullmatch(plan.names_of_rendered(), "synthetic")
    assert not re.fullmatch(plan.names_of_rendered(), "photographs")


def test_messages_name_the_studys_file(demo: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^mine\.yaml: seeds: "):
        Plan.of_config(demo | {"seeds": 0}, CONFIG, source="mine.yaml")
