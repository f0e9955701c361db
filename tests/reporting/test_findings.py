"""The main table and the findings of a study, from the tables of its comparison."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from transpose.config.study import StudyTable
from transpose.reporting.findings import findings, main_table
from transpose.study.layout import ResultsLayout

SETTING = {"dataset": "toy", "split": "val", "boxes": "ground_truth"}


def result(model: str, ap: float | None, **values: Any) -> dict[str, Any]:
    """A row of comparison.csv."""
    ends = {"AP_low": None, "AP_high": None} if ap is None else {"AP_low": ap - 4, "AP_high": ap + 4}
    status = "not run" if ap is None else "measured"
    row = {"model": model, "metric": "AP", "images": 200, "persons": 337, "seeds": 1, "params_m": 0.29, "AP": ap}
    return SETTING | row | ends | {"published_AP": None, "difference": None, "status": status, "notes": None} | values


def answer(question: str, variant: str, difference: float, **values: Any) -> dict[str, Any]:
    """A row of ablations.csv."""
    row = {"question": question, "baseline": "none", "variant": variant, "metric": "AP", "difference": difference}
    return SETTING | row | {"low": difference - 1, "high": difference + 1, "answer": "clear"} | values


def write(layout: ResultsLayout, table: StudyTable, rows: Iterable[dict[str, Any]]) -> None:
    pd.DataFrame(list(rows)).to_csv(layout.table(table).with_suffix(".csv"), index=False)


@pytest.fixture
def layout(tmp_path: Path) -> ResultsLayout:
    return ResultsLayout(tmp_path)


def test_the_main_table_is_of_the_first_evaluation(layout: ResultsLayout) -> None:
    rows = [result("R", 39.6), result("H", None, seeds=0), result("R", 2.0, boxes="simulated")]
    write(layout, StudyTable.COMPARISON, rows)
    table = main_table(layout)
    assert table.title == "toy, val, ground truth boxes"
    assert table.note == "first evaluation of the study; 200 images, 337 persons"
    assert table.columns == ("Model", "AP", "95 % interval", "Params (M)", "Seeds")
    assert table.rows == (("R", "39.6", "[35.6, 43.6]", "0.29", "1"), ("H", "not run", "–", "0.29", "0"))


def test_published_figures_are_next_to_measured_ones(layout: ResultsLayout) -> None:
    write(layout, StudyTable.COMPARISON, [result("R", 71.5, published_AP=71.7, difference=-0.2), result("H", 75.0)])
    table = main_table(layout)
    assert table.columns[3:5] == ("Published", "Difference")
    assert [row[3:5] for row in table.rows] == [("71.7", "−0.2"), ("–", "–")]


def test_findings_begin_with_the_main_evaluation(layout: ResultsLayout) -> None:
    late = {"notes": "the training code has changed since training"}
    rows = [result("R", 36.0, **late), result("H", 39.0, **late), result("T", 37.0), result("N", None)]
    write(layout, StudyTable.COMPARISON, [*rows, result("R", 6.0, boxes="simulated")])
    answers = [answer("Does it help?", "R", 3.5), answer("And?", "H", 0.1, answer="undecided")]
    write(layout, StudyTable.ABLATIONS, [*answers, answer("Does it help?", "R", 3.0, boxes="simulated")])
    write(layout, StudyTable.VERDICTS, [{"verdict": "reproduced"}, {"verdict": "not run"}, {"verdict": "not run"}])
    assert findings(layout) == [
        "Highest AP on toy, val, ground truth boxes: H 39.0 [35.0, 43.0]; next: T 37.0 [33.0, 41.0]",
        "Does it help? R minus none: +3.5 AP [+2.5, +4.5], clear",
        "And? H minus none: +0.1 AP [−0.9, +1.1], undecided",
        "Published figures: 1 reproduced, 2 not run",
        "Not run on toy, val, ground truth boxes: N",
        "Highest AP on toy, val, simulated boxes: R 6.0 [2.0, 10.0]",
        "Note on R, H: the training code has changed since training",
    ]


def test_a_study_without_results_has_only_what_is_missing(layout: ResultsLayout) -> None:
    write(layout, StudyTable.COMPARISON, [result("R", None)])
    write(layout, StudyTable.VERDICTS, [{"verdict": "not run"}])
    assert findings(layout) == ["Not run on toy, val, ground truth boxes: R"]
