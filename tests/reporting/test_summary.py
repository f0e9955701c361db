"""What a terminal shows at the end."""

from pathlib import Path

import pytest

from transpose.errors import InputError
from transpose.files import write_json, write_text
from transpose.reporting.summary import render_summary


def test_the_comparison_comes_first_and_then_every_place(tmp_path: Path) -> None:
    write_text(tmp_path / "comparison.txt", "AP 56.1 ± 0.8\n")
    write_text(tmp_path / "report.html", "")
    first, blank, *places = render_summary(tmp_path).splitlines()
    assert (first, blank) == ("AP 56.1 ± 0.8", "")
    named = dict(line.split(maxsplit=1) for line in places)
    assert list(named) == ["tables", "figures", "attention", "errors", "report", "MLflow"]
    assert named["report"] == f"{tmp_path}/report.html"
    assert named["MLflow"] == f"make ui RESULTS={tmp_path}"
    assert len({line.index(place) for line, place in zip(places, named.values(), strict=True)}) == 1


def test_a_server_is_named_in_place_of_the_database(tmp_path: Path) -> None:
    write_text(tmp_path / "comparison.txt", "")
    write_json(tmp_path / "tracking" / "database.json", {"tracking_uri": "https://mlflow.lab"})
    assert render_summary(tmp_path).splitlines()[-1].split() == ["MLflow", "https://mlflow.lab"]


def test_a_report_that_is_not_there_is_not_promised(tmp_path: Path) -> None:
    write_text(tmp_path / "comparison.txt", "")
    assert f"run `snakemake --report {tmp_path}/report.html`" in render_summary(tmp_path)


def test_a_folder_without_comparison_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no comparison here; run `make demo`"):
        render_summary(tmp_path)
