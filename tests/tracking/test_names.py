"""Any keypoint has a metric in MLflow, and no two keypoints share one."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name
from tracked_results import STUDY, VARIANT, runs_of, write_metrics, write_training

from transpose.files import read_json
from transpose.study.layout import ResultsLayout, RunId
from transpose.tracking import track_run
from transpose.tracking.names import keypoint_in_metric_name, shortened


@pytest.mark.parametrize(
    ("keypoint", "part"),
    [
        ("left_ear", "left_ear"),
        ("Ohr links-1.5", "Ohr links-1.5"),
        ("épaule", "épaule"),
        ("ear (left)", "ear :28:left:29:"),
        ("a/b", "a:2f:b"),
        ("a:2f:b", "a:3a:2f:3a:b"),
        ("{x}", ":7b:x:7d:"),
        ("..", ":2e::2e:"),
        ("#<>'+\n", ":23::3c::3e::27::2b::a:"),
    ],
)
def test_characters_that_mlflow_refuses_are_numbers(keypoint: str, part: str) -> None:
    assert keypoint_in_metric_name(keypoint) == part


texts = st.text(min_size=1, max_size=300) | st.text("a.:/2f{", min_size=1, max_size=8)


@given(first=texts, second=texts)
def test_every_name_is_valid_and_different(first: str, second: str) -> None:
    names = [shortened(f"dots_val/gt/keypoints/{keypoint_in_metric_name(text)}/ap") for text in (first, second)]
    for name in names:
        _validate_metric_name(name)
        assert len(name) <= 250
    assert (names[0] == names[1]) == (first == second)


@pytest.mark.usefixtures("without_model")
def test_a_run_with_any_keypoint_names_is_tracked(results: Path) -> None:
    write_training(results)
    path = write_metrics(results)
    names = ["{nose}", "ear (left)", "a/b", ".", "'#+<", "x" * 400]
    keypoints = [{"keypoint": name, "ap": 0.5, "labelled": 3} for name in names]
    path.write_text(json.dumps(read_json(path) | {"keypoints": keypoints}))
    track_run(ResultsLayout(results), STUDY, RunId(VARIANT, 0))
    (run,) = runs_of(results)
    logged = run.data.metrics
    assert logged["dots_val/gt/keypoints/ear :28:left:29:/ap"] == 0.5
    assert sum(name.startswith("dots_val/gt/keypoints/") for name in logged) == 2 * len(names)
    assert track_run(ResultsLayout(results), STUDY, RunId(VARIANT, 0))["added"] == 0
