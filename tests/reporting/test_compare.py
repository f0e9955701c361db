import csv
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.helpers.sample_results import ablation, box_row, demo_rows, published, result_row
from transpose.reporting.compare import compare, summarise, write_comparison
from transpose.study.layout import ResultsLayout

EVIL = "<script>alert(1)</script> | a_b & 50 % $x$ \\input{/etc/passwd} [l](javascript:x) \x1b[31m"


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("comparison")
    rows = [result_row("tp_r_a3", (0.7172,), title=EVIL), result_row("tp_h_s", ()), *demo_rows()]
    ablations = [ablation(0.05, (0.02, 0.08), question=EVIL), ablation(0.01, (-0.1, 0.1), variant=EVIL)]
    write_comparison(
        ResultsLayout(folder), EVIL, compare(rows, ablations, published(), [box_row(title=EVIL), box_row(None)])
    )
    return folder


def test_three_tables_in_four_formats_and_the_boxes_numbers(written: Path):
    assert {path.name for path in written.iterdir()} - {"person_boxes.csv"} == {
        f"{table}.{suffix}"
        for table in ("comparison", "verdicts", "ablations")
        for suffix in ("csv", "md", "html", "tex")
    }


@pytest.mark.parametrize("table", ["comparison", "ablations"])
def test_names_from_data_are_no_html(written: Path, table: str):
    elements = Elements((written / f"{table}.html").read_text())
    assert "script" not in elements.tags
    assert "<script>alert(1)</script>" in "".join(elements.text)


@pytest.mark.parametrize("table", ["comparison", "ablations"])
def test_names_from_data_break_no_markdown(written: Path, table: str):
    text = (written / f"{table}.md").read_text()
    assert "<script" not in text
    assert not re.search(r"(?<!\\)\[", text)
    for block in text.split("\n\n"):
        lines = [line.replace("\\|", "") for line in block.splitlines() if line.startswith("|")]
        assert len({line.count("|") for line in lines}) <= 1


@pytest.mark.parametrize("table", ["comparison", "ablations"])
def test_names_from_data_are_no_tex_commands(written: Path, table: str):
    text = (written / f"{table}.tex").read_text()
    assert "\\input" not in text
    assert "\\textbackslash{}input\\{" in text
    for line in text.splitlines():
        if line.endswith("\\\\"):
            assert line.replace("\\&", "").count("&") in (6, 7, 9, 11, 12, 13, 14)


def test_csv_keeps_the_numbers_whole(written: Path):
    measured, missing = list(csv.DictReader(io.StringIO((written / "comparison.csv").read_text())))[:2]
    assert measured["model"] == EVIL
    assert float(measured["AP"]) == 71.72
    assert measured["images"] == "5000"
    assert (missing["status"], missing["AP"], missing["difference"]) == ("not run", "", "")


def test_the_boxes_stand_at_the_end_of_the_comparison(written: Path):
    for suffix in ("md", "html", "tex"):
        assert "Person boxes" in (written / f"comparison.{suffix}").read_text()
    detections, annotated = csv.DictReader(io.StringIO((written / "person_boxes.csv").read_text()))
    assert (detections["dataset"], detections["count"], float(detections["box_AP"])) == (EVIL, "104125", 56.25)
    assert (annotated["count"], annotated["dropped"], annotated["box_AP"]) == ("6352", "4652", "")


def test_the_terminal_shows_everything_in_120_columns_without_control_characters():
    rows = [result_row("tp_r_a3", (0.7172,), title=EVIL), result_row("tp_h_s", (0.6,)), *demo_rows()]
    text = summarise(compare(rows, [ablation(0.05, (0.02, 0.08))], published(), [box_row()]))
    assert max(map(len, text.splitlines())) <= 120
    assert "\x1b" not in text
    for expected in (
        "not reproduced",
        "simulated boxes",
        "real photographs",
        "clear",
        "not run",
        "74.2",
        "96 published rows",
        "Person boxes",
        "56.2",
    ):
        assert expected in text


def test_the_same_results_give_the_same_bytes(tmp_path: Path):
    for name in ("first", "second"):
        write_comparison(ResultsLayout(tmp_path / name), "demo", compare(demo_rows(), [], published()))
    for path in (tmp_path / "first").iterdir():
        assert path.read_bytes() == (tmp_path / "second" / path.name).read_bytes()
