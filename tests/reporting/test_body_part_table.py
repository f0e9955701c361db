"""The table of mirror partners and neighbours: occluded and visible keypoints, counts, and dashes without persons."""

import csv
import re
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.sample_results import files_of, report_path, study_with, subject, write_with_resamples
from transpose.attention.body_parts import ATTENTION_MEASURES, KNOCKOUT_MEASURES
from transpose.attention.keypoint_regions import NeighbourhoodRegions
from transpose.attention.records import BodyPartReport
from transpose.config.attention import AttentionMeasures
from transpose.config.study import ATTENTION_ANALYSES, EvalProtocol, Study
from transpose.errors import InputError
from transpose.reporting.body_parts import write_body_part_table

MEASURES = (*ATTENTION_MEASURES, *KNOCKOUT_MEASURES)
NOTHING = {"value": None, "low": None, "high": None, "count": 0, "images": 0}


def number(value: float, count: int) -> dict[str, Any]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01, "count": count, "images": 3}


def report(seed: int) -> dict[str, Any]:
    """Occluded keypoints have twice the values of visible ones; no mirror partners; the second seed has 0.1 more."""
    groups = NeighbourhoodRegions.groups
    values = {"hidden": number(0.4 + 0.1 * seed, 5), "seen": number(0.2 + 0.1 * seed, 20)}
    return subject("r_sine", "R sine", seed) | {
        "settings": AttentionMeasures().model_dump(mode="json"),
        "protocol": EvalProtocol().model_dump(),
        "bootstrap": {"samples": 10, "seed": 0},
        "divided_by": "keypoint_neighbourhoods",
        "persons": 4,
        "keypoints": [
            {"keypoints": "hidden", "labelled": 9, "found_well": 5},
            {"keypoints": "seen", "labelled": 25, "found_well": 20},
        ],
        "rows": [
            {
                "group": group,
                "keypoints": keypoints,
                "measure": measure,
                "mean": NOTHING if group == "symmetric" else values[keypoints],
                "persons": 0 if group == "symmetric" else 4,
            }
            for group in groups
            for measure in MEASURES
            for keypoints in ("hidden", "seen")
        ],
        "differences": [
            {
                "group": group,
                "measure": measure,
                "hidden_minus_seen": NOTHING if group == "symmetric" else number(0.15, 5),
            }
            for group in groups
            for measure in MEASURES
        ],
    }


@pytest.fixture
def study(tmp_path: Path) -> Study:
    for seed in (0, 1):
        write_with_resamples(report_path(tmp_path, "body_parts", "r_sine", seed), report(seed), BodyPartReport)
    return study_with(tmp_path, "attention_analysis", ["r_sine"])


def test_occluded_and_visible_are_compared_and_missing_values_are_dashes(study: Study, tmp_path: Path):
    write_body_part_table(files_of(study))
    text = (tmp_path / "body_parts.md").read_text()
    assert "by the cells around labelled keypoints" in text
    assert "similarity of 0.5 or more: 5 of 9 occluded keypoints, 20 of 25 visible keypoints" in text
    # Equal in both trainings: only the images vary.
    assert r"+0.15 \[+0.12, +0.18\]" in text
    assert "| its neighbours along limbs | 45.0 | 25.0 | +15.0 |" in re.sub(r" \\\[.*?\\\]", "", text)
    assert "| its mirror partner | – | – | – | – | – | – | 0 / 0 |" in text
    for suffix in ("html", "tex"):
        assert "its mirror partner" in (tmp_path / f"body_parts.{suffix}").read_text()


def test_every_number_has_a_row(study: Study, tmp_path: Path):
    write_body_part_table(files_of(study))
    rows = list(csv.DictReader((tmp_path / "body_parts.csv").read_text().splitlines()))
    assert len(rows) == len(NeighbourhoodRegions.groups) * len(MEASURES) * 3
    of_place = [row for row in rows if row["group"] == "place" and row["measure"] == "shift"]
    assert [row["keypoints"] for row in of_place] == ["hidden", "seen", "hidden_minus_seen"]
    assert [float(row["value"]) for row in of_place] == pytest.approx([0.45, 0.25, 0.15])
    assert of_place[0]["count"] == "5"
    assert {row["value"] for row in rows if row["group"] == "symmetric"} == {""}


def test_the_study_promises_the_table():
    assert "body_parts" in ATTENTION_ANALYSES


def test_a_missing_file_is_named(study: Study, tmp_path: Path):
    (tmp_path / "body_parts" / "r_sine" / "seed1" / "synthetic" / "val" / "ground_truth.json").unlink()
    with pytest.raises(InputError, match="no such file"):
        write_body_part_table(files_of(study))
