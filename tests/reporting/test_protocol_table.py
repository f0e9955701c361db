"""The table of the protocol ablation: differences to the official row, means over seeds, boxes named."""

import csv
from pathlib import Path

import pytest

from tests.helpers.sample_results import RUNTIME, files_of, report_path, study_with, subject
from transpose.config.study import EvalProtocol, Study
from transpose.errors import InputError
from transpose.evaluation.protocol_ablation import combinations
from transpose.files import read_json, write_json
from transpose.reporting.protocol_ablation import write_protocol_table

VARIANTS = ("r_sine", "r_no_position")


def report(variant: str, seed: int) -> dict:
    """Without the flip test AP is 2 points lower, by argmax 5; the second seed's is 10 higher throughout."""
    results = [
        {
            "protocol": protocol.model_dump(),
            "official": number == 0,
            "predictions": 7,
            "metrics": {
                "AP": 0.5 + 0.1 * seed - 0.02 * (not protocol.flip_test) - 0.05 * (protocol.decoder == "argmax"),
                "AP50": 0.8,
                "AP75": -1.0,
                "AR": 0.6,
            },
        }
        for number, protocol in enumerate(combinations(EvalProtocol(blur_kernel=5)))
    ]
    return subject(variant, f"R {variant}", seed, "simulated") | {
        "runtime": RUNTIME,
        "images": 4,
        "persons": 8,
        "results": results,
    }


def path_of(folder: Path, variant: str, seed: int) -> Path:
    return report_path(folder, "protocol_ablation", variant, seed, "simulated")


@pytest.fixture
def study(tmp_path: Path) -> Study:
    for variant in VARIANTS:
        for seed in (0, 1):
            write_json(path_of(tmp_path, variant, seed), report(variant, seed))
    return study_with(tmp_path, "protocol_ablation", VARIANTS, "simulated")


def test_every_combination_of_every_model_has_a_row(study: Study, tmp_path: Path) -> None:
    write_protocol_table(files_of(study))
    rows = list(csv.DictReader((tmp_path / "protocol_ablation.csv").read_text().splitlines()))
    assert len(rows) == 2 * 36
    assert [row["official"] for row in rows].count("True") == 2
    plain = next(row for row in rows if row["flip_test"] == "False" and row["decoder"] == "argmax")
    assert (float(plain["AP"]), float(plain["difference"])) == (pytest.approx(48.0), pytest.approx(-7.0))
    assert plain["AP75"] == ""
    assert {row["nms_threshold"] for row in rows} == {"0.9", "off"}


def test_readers_see_one_choice_at_a_time_and_whose_boxes(study: Study, tmp_path: Path) -> None:
    write_protocol_table(files_of(study))
    text = (tmp_path / "protocol_ablation.md").read_text()
    assert "| Change | R r\\_sine | R r\\_no\\_position |" in text
    assert "| official | 55.0 | 55.0 |" in text
    assert "| no flip test | −2.0 | −2.0 |" in text
    assert "| decoder: argmax | −5.0 | −5.0 |" in text
    assert "| no OKS-NMS | 0.0 | 0.0 |" in text
    assert (
        "simulated boxes (ground truth with errors, no detector); official row: protocol with blur\\_kernel 5" in text
    )
    for suffix in ("html", "tex"):
        assert "quarter offset" in (tmp_path / f"protocol_ablation.{suffix}").read_text()


def test_other_annotations_are_refused(study: Study, tmp_path: Path) -> None:
    path = path_of(tmp_path, "r_no_position", 1)
    write_json(path, read_json(path) | {"annotations_sha256": "d" * 64})
    with pytest.raises(
        InputError, match="r_no_position seed 1: annotations_sha256: not the annotations of r_sine, seed 0"
    ):
        write_protocol_table(files_of(study))
    assert not list(tmp_path.glob("protocol_ablation.*"))


def test_a_study_without_ablation_has_no_table(study: Study) -> None:
    with pytest.raises(InputError, match="the study does not include this analysis"):
        write_protocol_table(files_of(study.model_copy(update={"protocol_ablation": None})))
