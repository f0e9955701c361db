"""Tables and curves of faithfulness, from the reports of a model whose needs are known."""

import csv
from pathlib import Path
from typing import Any

import cv2
import pytest

from tests.attention.planted import PlantedPersons, planted_pose_model
from tests.helpers.sample_results import files_of, report_path, study_with, subject, write_with_resamples
from transpose.attention.faithfulness import FaithfulnessTest
from transpose.attention.faithfulness_report import summarise
from transpose.attention.records import FaithfulnessReport
from transpose.config.attention import AttentionMeasures
from transpose.config.study import EvalProtocol, Study
from transpose.errors import InputError
from transpose.evaluation.intervals import Estimate
from transpose.evaluation.report import Bootstrap
from transpose.reporting.estimates import mean_over_seeds, words_of
from transpose.reporting.faithfulness import write_faithfulness_tables

SETTINGS = AttentionMeasures(fractions=(0.12, 0.3), knockout_fraction=0.12, patch=8)


@pytest.fixture(scope="module")
def report() -> FaithfulnessReport:
    persons: Any = PlantedPersons(3)
    protocol = EvalProtocol(decoder="argmax")
    results = FaithfulnessTest(planted_pose_model(protocol), SETTINGS).run(persons)
    bootstrap = Bootstrap(samples=20, seed=0)
    about = subject("r_sine", "R <sine>", 0, box_count=3)
    measured: dict[str, Any] = summarise(results, SETTINGS, 1, bootstrap)
    values = {"settings": SETTINGS, "protocol": protocol, "bootstrap": bootstrap, "persons": 3}
    return FaithfulnessReport.model_validate(about | values | measured)


@pytest.fixture
def study(report: FaithfulnessReport, tmp_path: Path) -> Study:
    for seed in range(2):
        path = report_path(tmp_path, "faithfulness", "r_sine", seed)
        write_with_resamples(path, report.model_copy(update={"seed": seed}).model_dump(mode="json"), FaithfulnessReport)
    return study_with(tmp_path, "attention_analysis", ["r_sine"])


def test_every_number_of_the_report_is_a_row(study: Study, report: FaithfulnessReport, tmp_path: Path):
    write_faithfulness_tables(files_of(study))
    rows = list(csv.DictReader((tmp_path / "faithfulness.csv").read_text().splitlines()))
    assert {row["test"] for row in rows} == {
        "knockout",
        "deletion",
        "insertion",
        "occlusion",
        "keypoint_influence",
        "randomisation",
    }
    chosen = [row for row in rows if (row["test"], row["where"], row["ranking"]) == ("knockout", "image", "random")]
    expected = {
        one.measure: one.mean.value for one in report.knockouts if (one.depth, one.ranking) == ("image", "random")
    }
    for measure, value in expected.items():
        (row,) = [row for row in chosen if row["measure"] == measure]
        assert float(row["value"]) == pytest.approx(value)
        assert row["seeds"] == "2"


def test_pages_name_the_trials_and_escape_titles(study: Study, tmp_path: Path):
    write_faithfulness_tables(files_of(study))
    page = (tmp_path / "faithfulness.html").read_text()
    assert "R &lt;sine&gt;: knock-out" in page
    assert "as keys of the last layer" in page
    assert "12 % of the cells are masked; 3 persons, 9 keypoints<" in page
    assert cv2.imread(str(tmp_path / "figures/faithfulness_synthetic_val_ground_truth.png")) is not None


def test_a_missing_report_is_one_line(study: Study, tmp_path: Path):
    (tmp_path / "faithfulness/r_sine/seed1/synthetic/val/ground_truth.json").unlink()
    with pytest.raises(InputError, match=r"seed1.*no such file"):
        write_faithfulness_tables(files_of(study))
    assert not (tmp_path / "faithfulness.csv").exists()


def test_a_study_without_attention_analysis_is_refused(study: Study):
    with pytest.raises(InputError, match="the study does not include this analysis"):
        write_faithfulness_tables(files_of(study.model_copy(update={"attention_analysis": None})))


def test_seeds_are_averaged_and_nothing_stays_nothing(report: FaithfulnessReport):
    one = Estimate(value=1.0, low=0.0, high=2.0, count=5, images=3)
    other = Estimate(value=3.0, low=2.0, high=6.0, count=5, images=3)
    empty = Estimate(value=None, low=None, high=None, count=0, images=0)
    models = [report.randomised[0].model_copy(update={"correlation": correlation}) for correlation in (one, other)]
    mean = mean_over_seeds(models).correlation
    assert (words_of(mean, 1), mean.trainings) == ("2.0", 2)
    models[1] = models[1].model_copy(update={"correlation": empty})
    assert words_of(mean_over_seeds(models).correlation) == "–"


def test_signs_of_differences():
    assert words_of(Estimate(value=0.004, low=-0.051, high=0.06, count=1, images=1), 1, 1, signed=True) == (
        "0.0 [−0.1, +0.1]"
    )
