"""External results are rows of the comparison, with paired differences from every variant."""

import csv
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation.test_external_row import Folder
from tests.reporting.test_study import VARIANTS, Results, matches
from transpose.config.study import Study
from transpose.errors import InputError
from transpose.files import read_json, write_json, write_npz

ENTRY = {
    "name": "theirs",
    "title": "Theirs",
    "dataset": "coco",
    "split": "val",
    "results": "theirs.json",
    "published": 55.2,
    "params": 12.5,
    "speed": "30 images/s on an A100",
    "link": "https://example.org/theirs",
}


class WithExternal(Results):
    """A results folder whose study has an external row."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.study = Study.model_validate(self.study.model_dump() | {"external": [ENTRY]})

    def write_external(self, source: Folder, **changes: Any) -> None:
        source.row()
        values = read_json(source.layout.external("theirs"))
        first = read_json(self.metrics(VARIANTS[0], 0, "annotated"))
        values |= {name: first[name] for name in ("images", "persons", "annotations_sha256")}
        values |= {"dataset": "coco", "dataset_title": "COCO", "split": "val", "interval": [0.5, 0.6]}
        values["metrics"]["AP"] = 0.55
        path = self.folder / "external" / "theirs.json"
        write_json(path, values | changes)
        write_npz(path.with_suffix(".npz"), **vars(matches(wrong=9)))


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WithExternal:
    for name in ("plot_accuracy_against_cost", "plot_keypoint_accuracy", "plot_training"):
        monkeypatch.setattr(f"transpose.reporting.study.{name}", lambda *_: None)
    return WithExternal(tmp_path / "results")


@pytest.fixture
def source(tmp_path: Path) -> Folder:
    (tmp_path / "source").mkdir()
    return Folder(tmp_path / "source")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_row_has_its_figures_and_where_they_are_from(results: WithExternal, source: Folder) -> None:
    results.write_external(source)
    rows = results.write()
    assert len(rows) == 5
    row = rows[-1]
    assert (row["model"], row["boxes"], row["box_source"]) == ("Theirs", "unknown", "boxes unknown")
    assert (float(row["AP"]), float(row["AP_low"]), float(row["AP_high"])) == pytest.approx((55, 50, 60))
    assert (row["images"], row["persons"], row["seeds"]) == ("5000", "6352", "1")
    assert (row["params_m"], row["gmacs"]) == ("12.5", "")
    assert row["verdict"] == "as published (±0.5 AP)"
    for words in ("file ", "boxes unknown", "30 images/s on an A100", "https://example.org/theirs"):
        assert words in row["notes"]
    text = (results.folder / "comparison.md").read_text()
    assert "unknown boxes" in text
    assert "| Theirs | 55.0 |" in text


def test_known_boxes_are_named(results: WithExternal, source: Folder) -> None:
    results.write_external(source, boxes="found", boxes_kind="detections")
    row = results.write()[-1]
    assert (row["boxes"], row["box_source"]) == ("found", "detector boxes")


def test_differences_are_from_every_variant_and_box_source(results: WithExternal, source: Folder) -> None:
    results.write_external(source)
    results.write()
    rows = [row for row in read(results.folder / "ablations.csv") if row["variant"] == "Theirs"]
    assert len(rows) == 2 * len(VARIANTS)
    for row in rows:
        assert float(row["difference"]) < 0
        assert float(row["low"]) <= float(row["difference"]) <= float(row["high"])
        assert row["seeds"] == "1"
        assert row["answer"] in ("differs, one training", "undecided")


def test_a_row_that_was_not_evaluated_is_not_run(results: WithExternal) -> None:
    row = results.write()[-1]
    assert (row["model"], row["status"], row["AP"], row["images"]) == ("Theirs", "not run", "", "")
    answers = [row["answer"] for row in read(results.folder / "ablations.csv") if row["variant"] == "Theirs"]
    assert set(answers) == {"not run"}


def test_other_annotations_do_not_share_a_table(results: WithExternal, source: Folder) -> None:
    results.write_external(source, annotations_sha256="0" * 64)
    with pytest.raises(InputError, match=r"theirs\.json: annotations_sha256: not the annotations of"):
        results.write()


def test_a_study_without_external_results_has_no_such_rows(results: WithExternal) -> None:
    results.study = Study.model_validate(results.study.model_dump() | {"external": []})
    assert all(row["model"] != "Theirs" for row in results.write())
