"""The summary in the terminal."""

import socket
from pathlib import Path

import pytest

from tests.reporting.test_findings import result, write
from transpose.config.study import StudyTable
from transpose.errors import InputError
from transpose.files import write_json, write_text
from transpose.reporting import summary
from transpose.reporting.summary import MOST_FINDINGS, free_port, render_summary
from transpose.study.layout import ResultsLayout


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ResultsLayout:
    """A results folder with one model; the port of MLflow is free."""
    monkeypatch.setattr(summary, "free_port", lambda: 5000)
    found = ResultsLayout(tmp_path)
    write(found, StudyTable.COMPARISON, [result("R small", 39.6)])
    return found


def test_table_findings_and_places_follow_each_other(layout: ResultsLayout) -> None:
    write_json(layout.tracked_study(), {"run_id": "0", "experiment_id": "7"})
    write_text(layout.report("index.html"), "")
    write_text(layout.error_browser("toy", "val"), "")
    write_text(layout.table(StudyTable.CLAIMS).with_suffix(".html"), "")
    head, found, places = render_summary(layout.root, width=40).rsplit("\n\n", 2)
    assert head.splitlines()[0] == "toy, val, ground truth boxes"
    assert head.splitlines()[-1].split() == ["R", "small", "39.6", "[35.6,", "43.6]", "0.29", "1"]
    assert found.splitlines() == ["- Highest AP on toy, val, ground truth", "  boxes: R small 39.6 [35.6, 43.6]"]
    root = layout.root
    assert places.splitlines() == [
        f"report   {root}/report/index.html",
        f"claims   {root}/claims.html",
        f"tables   {root}/comparison.txt (all as text), {root}/*.html",
        f"figures  {root}/figures/",
        f"errors   {layout.error_browser('toy', 'val')}",
        f"MLflow   make ui RESULTS={root}",
        "         http://127.0.0.1:5000/#/experiments/7/runs?compareRunsMode=CHART",
    ]


def test_what_is_not_there_is_not_promised(layout: ResultsLayout) -> None:
    text = render_summary(layout.root)
    assert f"report   snakemake --cores 1 -- {layout.root}/report/index.html" in text
    assert "claims" not in text
    assert "MLflow" not in text


def test_another_port_is_named_where_it_is_used(layout: ResultsLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    write_json(layout.tracked_study(), {"run_id": "0", "experiment_id": "7"})
    monkeypatch.setattr(summary, "free_port", lambda: 5003)
    text = render_summary(layout.root)
    assert f"make ui RESULTS={layout.root} PORT=5003\n" in text
    assert "http://127.0.0.1:5003/#/experiments/7/" in text


def test_a_port_that_is_in_use_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as used:
        port = used.getsockname()[1]
        assert free_port(port) > port


def test_at_most_ten_findings_are_listed(layout: ResultsLayout) -> None:
    rows = [result("R small", 39.6, boxes=f"boxes{number}") for number in range(MOST_FINDINGS + 3)]
    write(layout, StudyTable.COMPARISON, rows)
    found = [line for line in render_summary(layout.root, width=200).splitlines() if line.startswith("- ")]
    assert len(found) == MOST_FINDINGS
    assert found[-1] == f"- 4 more in {layout.root}/comparison.txt"


def test_a_server_is_named_in_place_of_the_database(layout: ResultsLayout) -> None:
    write_json(layout.tracked_study(), {"run_id": "0", "experiment_id": "7"})
    write_json(layout.tracking_database(), {"tracking_uri": "https://mlflow.lab"})
    last = render_summary(layout.root).splitlines()[-1]
    assert last.split() == ["MLflow", "https://mlflow.lab/#/experiments/7/runs?compareRunsMode=CHART"]


def test_a_folder_without_comparison_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no comparison here; run `make demo`"):
        render_summary(tmp_path)
