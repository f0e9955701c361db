"""The table of lower-precision dtypes: means over seeds, differences with intervals, and the device."""

import csv
from pathlib import Path

import pytest

from tests.helpers.sample_results import files_of, report_path, study_with, subject, write_with_resamples
from transpose.config.study import EvalProtocol, Study
from transpose.errors import InputError
from transpose.evaluation.analysis_records import DtypeReport
from transpose.files import read_json, write_json
from transpose.reporting.dtypes import write_dtype_table

VARIANTS = ("r_sine", "h_sine")


def report(variant: str, seed: int) -> dict:
    """The second seed is 10 points better throughout and loses 0.2 points more by bf16."""
    difference = -0.001 - 0.002 * seed
    result = {
        "dtype": "bf16",
        "predictions": 7,
        "metrics": {"AP": 0.5 + 0.1 * seed + difference},
        "difference": {
            "value": difference,
            "low": difference - 0.001,
            "high": difference + 0.001,
            "count": 8,
            "images": 4,
        },
        "same_peak": 0.9,
        "median_shift": 0.0625,
        "far_shift": 1.5,
    }
    return subject(variant, f"The {variant[0]} model", seed) | {
        "protocol": EvalProtocol().model_dump(),
        "bootstrap": {"samples": 20, "seed": 0},
        "machine": {"device": "cpu" if seed == 0 else "Some GPU", "cpu": "Some processor"},
        "images": 4,
        "persons": 8,
        "fp32": {"AP": 0.5 + 0.1 * seed},
        "results": [result],
    }


def path_of(folder: Path, variant: str, seed: int) -> Path:
    return report_path(folder, "dtypes", variant, seed)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    for variant in VARIANTS:
        for seed in (0, 1):
            write_with_resamples(path_of(tmp_path, variant, seed), report(variant, seed), DtypeReport)
    return study_with(tmp_path, "dtypes", VARIANTS)


def test_numbers_are_means_over_seeds_in_points(study: Study, tmp_path: Path) -> None:
    write_dtype_table(files_of(study))
    rows = list(csv.DictReader((tmp_path / "dtypes.csv").read_text().splitlines()))
    assert [row["variant"] for row in rows] == list(VARIANTS)
    names = ("AP_fp32", "AP", "difference", "same_peak", "median_shift")
    expected = (55.0, 54.8, -0.2, 90.0, 0.0625)
    assert [float(rows[1][name]) for name in names] == [pytest.approx(value) for value in expected]


def test_readers_see_the_interval_and_the_devices(study: Study, tmp_path: Path) -> None:
    write_dtype_table(files_of(study))
    text = (tmp_path / "dtypes.md").read_text()
    # Two trainings that differ by 0.2 points: t(1) 0.1 points, which the images widen little.
    figures = r"55.00 | 54.80 | −0.20 \[−1.49, +1.09\] | 90.00 | 0.062 | 1.50"
    assert f"| The h model | bf16 | {figures} | Some processor, Some GPU |" in text
    assert "ground-truth boxes; official protocol; 4 images, 8 persons" in text
    for suffix in ("html", "tex"):
        assert "Some processor, Some GPU" in (tmp_path / f"dtypes.{suffix}").read_text()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"annotations_sha256": "d" * 64}, "annotations_sha256: not the annotations of r_sine, seed 0"),
        ({"boxes_sha256": "d" * 64}, "boxes_sha256: not the boxes of r_sine, seed 0"),
        ({"protocol": {"flip_test": False}}, "protocol: not the protocol of r_sine, seed 0"),
    ],
)
def test_other_inputs_are_refused(study: Study, tmp_path: Path, change: dict[str, object], problem: str) -> None:
    path = path_of(tmp_path, "h_sine", 1)
    write_json(path, read_json(path) | change)
    with pytest.raises(InputError, match=f"h_sine seed 1: {problem}; run its rule again"):
        write_dtype_table(files_of(study))
    assert not list(tmp_path.glob("dtype.*"))


def test_a_study_without_precisions_has_no_table(study: Study) -> None:
    with pytest.raises(InputError, match="the study does not include this analysis"):
        write_dtype_table(files_of(study.model_copy(update={"dtypes": None})))
