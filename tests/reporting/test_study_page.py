"""The report of a study: pages that open without a server, and whose numbers link to their files."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.helpers.browser import CHROMIUM, browser
from tests.helpers.injected_errors import exact_scene
from tests.helpers.page_links import broken_links
from tests.helpers.sample_results import subject
from tests.reporting.test_study import CONFIG, Results
from transpose.config.bootstrap import Bootstrap
from transpose.evaluation.calibration import calibrate
from transpose.evaluation.error_types.mended import APGains
from transpose.evaluation.error_types.report import diagnose, error_types
from transpose.evaluation.model_errors import ModelErrors, SplitErrors
from transpose.files import read_json, write_json, write_npz
from transpose.reporting.claim_table import rows_of
from transpose.reporting.claims import positions_help
from transpose.reporting.export import write_csv
from transpose.reporting.figure_style import save_with_svg
from transpose.reporting.reliability_figure import reliability_figure
from transpose.reporting.study import write_study
from transpose.reporting.study_files import StudyFiles
from transpose.reporting.study_page.axis import Axis, Interval
from transpose.reporting.study_page.numbers import read_rows
from transpose.reporting.study_page.write import write_report
from transpose.skeleton import COCO_PERSON
from transpose.study.layout import REPORT_PAGES, ResultsLayout

HOSTILE = '<script>alert("x")</script> & co.'
PERSONS, KEYPOINTS, GRID = 1, 17, (32, 24)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two variants with two trainings each, without analyses, in a folder that was moved."""
    folder = tmp_path_factory.mktemp("study")
    results = Results(folder / "results")
    path = folder / "results" / "records" / "datasets" / "coco.json"
    write_json(path, read_json(path) | {"title": HOSTILE})
    for variant in results.study.variants:
        write_attention_maps(folder / "results" / "attention" / variant / "seed0" / "coco" / "val")
    for variant in results.study.variants:
        for seed in (0, 1):
            for boxes in ("annotated", "found"):
                results.write_metrics(variant, seed, boxes, dataset_title=HOSTILE)
    write_model_errors(results)
    files = results.files()
    write_study(files, CONFIG / "tables" / "published.yaml")
    write_report(files)
    return (folder / "results").rename(folder / "moved") / "report"


def write_attention_maps(folder: Path) -> None:
    areas = np.full((PERSONS, 1, KEYPOINTS, GRID[0] * GRID[1]), 1e-3, dtype=np.float32)
    areas[..., :5] = 0.02
    arrays = {
        "dependency_unflipped": areas,
        "keypoints_xy": np.full((PERSONS, KEYPOINTS, 2), 40.0),
        "keypoint_scores": np.full((PERSONS, KEYPOINTS), 0.5, dtype=np.float32),
        "crops": np.full((PERSONS, 256, 192, 3), 90, dtype=np.uint8),
    }
    write_npz(folder / "maps.npz", **arrays)
    persons = [{"image": f"{HOSTILE}{index}.jpg", "annotation_id": index} for index in range(PERSONS)]
    write_json(folder / "persons.json", {"grid": GRID, "persons": persons})


def write_model_errors(results: Results) -> None:
    """Errors of two models: one has three keypoint errors, and the other none."""
    exact, bootstrap = exact_scene(COCO_PERSON), Bootstrap(samples=10, seed=0)
    scenes = exact.jittered(0, 1).inverted(2, 1), exact
    models = []
    for variant, scene in zip(results.study.variants, scenes, strict=True):
        gains = APGains.of(diagnose(scene.annotations, scene.results, COCO_PERSON), bootstrap)
        values = subject(variant, f"{variant} {HOSTILE}", 0, "annotated") | {
            "dataset": "coco",
            "dataset_title": HOSTILE,
            "boxes_kind": "ground_truth",
            "predictions_sha256": "",
            "bootstrap": bootstrap,
            "errors": error_types(gains, with_groups=True),
            "calibration": calibrate(gains, has_keypoint_scores=True),
        }
        models.append(ModelErrors.model_validate(values))
    layout = results.files().layout
    write_json(layout.model_errors("coco", "val"), SplitErrors(models=tuple(models)).model_dump(mode="json"))
    diagrams = reliability_figure({one.title: one.calibration for one in models})
    save_with_svg(diagrams, layout.figure("reliability", "coco", "val"))


def test_all_pages_are_there_and_no_link_is_broken_after_a_move(report: Path) -> None:
    assert {path.name for path in report.glob("*.html")} == set(REPORT_PAGES)
    assert broken_links(report) == []


def test_names_from_data_are_text(report: Path) -> None:
    for path in report.glob("*.html"):
        text = path.read_text()
        assert "<script>alert" not in text
        assert "http://" not in text
        assert "https://" not in text
    assert "&lt;script&gt;alert" in (report / "index.html").read_text()


def test_the_first_page_says_which_model_is_best_and_whether_it_is_certain(report: Path) -> None:
    text = (report / "index.html").read_text()
    answer = text[text.index('<section id="best">') : text.index('<section id="comparison">')]
    assert "TransPose-R-A4" in answer
    assert 'class="bar"' in answer
    assert any(f">{word}</span>" in answer for word in ("clear", "undecided"))
    assert "Not in this study." in text


def test_errors_and_calibration_are_on_the_first_page_and_by_groups_on_another(report: Path) -> None:
    text = (report / "index.html").read_text()
    errors = text[text.index('<section id="errors">') : text.index('<section id="protocol">')]
    assert re.search(r'data-label="Inversion"[^>]*>\+\S+<small>\[\S+, \S+\]</small><small>2</small>', errors)
    assert 'data-label="Keypoint scores"' in errors
    assert "figures/reliability_coco_val.svg" in errors
    groups = (report / "errors.html").read_text()
    for kind in ("keypoint", "visibility", "size", "overlapping persons", "labelled keypoints", "image border"):
        assert f"Errors by {kind}" in groups
    assert "Calibration by size and visibility" in groups


def test_a_mean_over_trainings_links_to_the_files_of_all(report: Path) -> None:
    assert 'href="provenance.html#coco-val-annotated"' in (report / "index.html").read_text()
    provenance = (report / "provenance.html").read_text()
    for seed in (0, 1):
        assert f"../metrics/tp_r_a3/seed{seed}/coco/val/annotated.json" in provenance
    assert "2, then 1" in provenance


def test_persons_are_drawn_by_every_model(report: Path) -> None:
    images = sorted(path.name for path in (report / "persons").iterdir())
    assert len(images) == PERSONS * 2
    assert all((report / "persons" / name).stat().st_size < 200_000 for name in images)
    assert all(f'src="persons/{name}"' in (report / "persons.html").read_text() for name in images)


def test_the_check_of_the_data_is_on_the_page_of_data(report: Path) -> None:
    text = (report / "data.html").read_text()
    assert "6,352 persons with labelled keypoints" in text
    assert "crowd 227, no keypoints 4,424" in text


def test_pages_are_equal_every_time(report: Path, tmp_path: Path) -> None:
    shutil.copytree(report.parent, tmp_path / "results")
    write_report(StudyFiles.read(ResultsLayout(tmp_path / "results")))
    for path in report.rglob("*"):
        if path.is_file() and path.name != "data.html":  # the resources are elsewhere now
            assert path.read_bytes() == (tmp_path / "results/report" / path.relative_to(report)).read_bytes(), path


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt install chromium)")
def test_pages_fit_on_a_phone_and_their_tables_are_sorted(report: Path, tmp_path: Path) -> None:
    models = "[...document.querySelectorAll('#comparison tbody')[0].rows].map(row => row.cells[0].innerText)"
    with browser(tmp_path) as page:
        for dark in (False, True):
            page.resize(390, 800, touch=True, dark=dark)
            for name in REPORT_PAGES:
                page.open(report / name)
                page.wait_for("document.readyState === 'complete'")
                assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        page.open(report / "index.html")
        page.wait_for("document.readyState === 'complete'")
        best_first = page.evaluate(models)
        click = "document.querySelector('#comparison thead th:nth-child(2) button').click()"
        page.evaluate(click)
        assert page.evaluate(models) == best_first
        page.evaluate(click)
        assert page.evaluate(models) == best_first[::-1]
        assert page.problems == []


@pytest.mark.parametrize(
    ("intervals", "zero", "low", "high", "ticks"),
    [
        ([Interval(2, 1, 3)], False, 0.88, 3.12, (1, 1.5, 2, 2.5, 3)),
        ([Interval(2, 1, 3)], True, -0.18, 3.18, (0, 1, 2, 3)),
        ([Interval(0, None, None)], False, -1, 1, (-1, -0.5, 0, 0.5, 1)),
    ],
)
def test_an_axis_contains_all_intervals(
    intervals: list[Interval], zero: bool, low: float, high: float, ticks: tuple[float, ...]
) -> None:
    axis = Axis.over(intervals, zero)
    assert axis is not None
    assert (axis.low, axis.high) == pytest.approx((low, high))
    assert axis.ticks == ticks
    assert axis.place(axis.low) == "0.00%"


def test_no_interval_has_no_axis() -> None:
    assert Axis.over([None]) is None


def test_tables_are_read_as_they_were_written(tmp_path: Path) -> None:
    write_csv(tmp_path / "claims.csv", pd.DataFrame(list(rows_of(positions_help([])))))
    (row,) = read_rows(tmp_path / "claims")
    assert row["result"] == "not measured"
    assert read_rows(tmp_path / "absent") == []


def test_the_report_does_without_libraries_of_networks_and_statistics() -> None:
    code = "import transpose.reporting.study_page.write, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "scipy", "mlflow"} & set(done.stdout.split())
