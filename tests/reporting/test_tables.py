import math
from collections.abc import Hashable
from typing import Any

import pandas as pd
import pytest

from tests.helpers.sample_results import box_row, demo_rows, published, result_row
from transpose.config.study import EvalProtocol
from transpose.evaluation.crowding import SubsetAP
from transpose.reporting.records import ResultRow
from transpose.reporting.sections import DASH, box_sections, comparison_sections
from transpose.reporting.tables import box_table, comparison_table, counterpart, verdict_table


def only_row(row: ResultRow) -> dict[Hashable, Any]:
    return comparison_table([row], published()).to_dict(orient="records")[0]


@pytest.mark.parametrize(
    ("ap", "verdict"),
    [
        (0.717, "reproduced (±0.5 AP)"),
        (0.7124, "reproduced (±0.5 AP)"),
        (0.722, "reproduced (±0.5 AP)"),
        (0.7229, "not reproduced (±0.5 AP)"),
        (0.7112, "not reproduced (±0.5 AP)"),
        (0.0, "not reproduced (±0.5 AP)"),
    ],
)
def test_verdict_on_the_published_71_7(ap: float, verdict: str):
    row = only_row(result_row("tp_r_a3", (ap,)))
    assert row["verdict"] == verdict
    assert row["published_AP"] == 71.7
    assert row["difference"] == pytest.approx(100 * ap - 71.7)


def test_verdicts_on_recalled_figures_say_so():
    row = only_row(result_row("tp_r_a5", (0.722,)))
    assert row["verdict"] == "reproduced (±0.5 AP, published value unconfirmed)"
    assert not row["published_confirmed"]


def test_ground_truth_boxes_have_published_figures_of_their_own():
    row = only_row(result_row("tp_r_a3", (0.738,), boxes="ground_truth", box_kind="ground_truth", box_count=6352))
    assert row["published_AP"] == 73.8
    assert row["verdict"].startswith("reproduced")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"benchmark": None, "dataset": "synthetic"}, "data set without published figures"),
        ({"benchmark": "coco_val2017", "images": 50}, "50 images instead of 5000"),
        ({"box_kind": "simulated", "boxes": "simulated"}, "simulated boxes"),
        ({"box_kind": "detector", "boxes": "detector"}, "another detector's boxes"),
        ({"box_count": 99_999}, "not the published 104125 boxes"),
        ({"box_count": None}, "not the published 104125 boxes"),
        ({"protocol": EvalProtocol(flip_test=False)}, "another evaluation protocol"),
        ({"protocol": EvalProtocol(decoder="argmax")}, "another evaluation protocol"),
        ({"protocol": EvalProtocol(decoder="quarter")}, "another evaluation protocol"),
        ({"protocol": EvalProtocol(nms_threshold=None)}, "another evaluation protocol"),
        ({"protocol": EvalProtocol(score="keypoints")}, "another evaluation protocol"),
        ({"input_size": (384, 288)}, "another input size"),
        ({"reproduces": None}, "nothing published"),
        ({"benchmark": "coco_test_dev2017"}, "nothing published for this data set and boxes"),
    ],
)
def test_other_protocols_are_not_compared(changes: dict, reason: str):
    row = only_row(result_row("tp_r_a3", (0.717,), **changes))
    assert row["verdict"] == f"not comparable: {reason}"
    assert math.isnan(row["published_AP"])
    assert math.isnan(row["difference"])
    assert row["AP"] == pytest.approx(71.7)


def test_threads_and_batch_size_are_not_the_protocol():
    assert counterpart(result_row(protocol=EvalProtocol(batch_size=3, threads=8)), published())[0] is not None


def test_the_demo_has_no_published_counterpart():
    table = comparison_table(demo_rows(), published())
    assert set(table["comparable"]) == {False}
    assert all(math.isnan(value) for value in table["published_AP"])


def test_a_missing_run_is_missing_and_not_zero():
    row = only_row(result_row("tp_r_a3", (), seeds_planned=3))
    assert row["status"] == "not run"
    assert row["verdict"] == "not run"
    assert (row["seeds"], row["seeds_planned"]) == (0, 3)
    assert all(math.isnan(row[name]) for name in ("AP", "AP_std", "AP_low", "AP_high", "AP50", "AR", "difference"))
    assert pd.isna(row["images"])
    assert row["params_m"] > 0


def test_a_figure_that_the_evaluator_does_not_give_is_missing():
    assert math.isnan(only_row(result_row())["APL"])
    unlabelled = result_row(aps=(-1.0,))
    assert math.isnan(only_row(unlabelled)["AP"])
    assert only_row(unlabelled)["verdict"] == "no AP: no labelled person"


def test_mean_and_spread_over_seeds():
    row = only_row(result_row("tp_r_a3", (0.71, 0.72, 0.73)))
    assert row["AP"] == pytest.approx(72.0)
    assert row["AP_std"] == pytest.approx(1.0)
    assert (row["AP_low"], row["AP_high"]) == (pytest.approx(69.0), pytest.approx(75.0))
    assert row["seeds"] == 3
    assert math.isnan(only_row(result_row("tp_r_a3", (0.71,)))["AP_std"])


@pytest.mark.parametrize(
    "changes",
    [
        {"dataset": "photographs"},
        {"split": "train"},
        {"boxes": "simulated"},
        {"box_kind": "ground_truth"},
        {"protocol": EvalProtocol(flip_test=False)},
        {"variant": "tp_r_a4"},
    ],
)
def test_a_row_refuses_results_that_do_not_belong_to_it(changes: dict):
    row, other = result_row("tp_r_a3", (0.7,)), result_row(**{"variant": "tp_r_a3", **changes})
    with pytest.raises(ValueError, match="has another"):
        ResultRow.model_validate(row.model_dump() | {"evaluations": other.evaluations})


def test_a_row_refuses_seeds_on_different_persons_and_a_seed_twice():
    row = result_row("tp_r_a3", (0.7, 0.71))
    fewer = row.evaluations[1].model_copy(update={"persons": 6000})
    with pytest.raises(ValueError, match="other images or persons"):
        ResultRow.model_validate(row.model_dump() | {"evaluations": (row.evaluations[0], fewer)})
    with pytest.raises(ValueError, match="the same seed twice"):
        ResultRow.model_validate(row.model_dump() | {"evaluations": (row.evaluations[0], row.evaluations[0])})


def test_every_published_row_gets_a_verdict():
    rows = [result_row("tp_r_a3", (0.717,)), result_row("tp_h_s", (0.70,)), result_row("tp_h_a4", ())]
    verdicts = verdict_table([*rows, *demo_rows()], published())
    assert len(verdicts) == len(published().rows)
    of = {row["variant"]: row for row in verdicts.to_dict(orient="records") if row["variant"]}
    assert set(of) == {"tp_r_a3", "tp_h_s", "tp_h_a4"}
    assert of["tp_r_a3"]["verdict"] == "reproduced (±0.5 AP)"
    assert of["tp_h_s"]["verdict"] == "not reproduced (±0.5 AP)"
    assert of["tp_h_s"]["difference"] == pytest.approx(-4.2)
    assert of["tp_h_a4"]["verdict"] == "not run"
    unmeasured = {row["verdict"] for row in verdicts.to_dict(orient="records") if not row["variant"]}
    assert unmeasured == {"not run", "published only"}
    assert set(verdicts["tolerance"]) == {0.5}


def test_boxes_are_named_as_what_they_are():
    table = comparison_table(demo_rows(), published())
    sources = dict(zip(table["boxes"], table["box_source"], strict=True))
    assert sources["simulated"] == "simulated boxes (ground truth with errors, no detector)"
    assert sources["ground_truth"] == "ground-truth boxes"


def crowded_row(*aps: float) -> ResultRow:
    """A row of CrowdPose with one seed for each AP of the hard images."""
    row = result_row(aps=(0.7,) * len(aps), dataset="crowdpose", dataset_title="CrowdPose", benchmark=None)
    evaluations = tuple(
        report.model_copy(
            update={
                "crowding": {
                    "easy": SubsetAP(images=2, ap=0.8),
                    "medium": SubsetAP(images=0, ap=-1),
                    "hard": SubsetAP(images=3, ap=ap),
                }
            }
        )
        for report, ap in zip(row.evaluations, aps, strict=True)
    )
    return row.model_copy(update={"evaluations": evaluations})


def test_ap_by_crowd_index_is_the_mean_over_seeds_of_data_sets_that_have_it() -> None:
    table = comparison_table([result_row(), crowded_row(0.5, 0.25)], published())
    coco, crowdpose = table.to_dict(orient="records")
    assert math.isnan(coco["AP_hard"])
    assert (crowdpose["AP_easy"], crowdpose["AP_hard"]) == (80, 37.5)
    assert math.isnan(crowdpose["AP_medium"])
    of_coco, of_crowdpose = comparison_sections(table)
    assert "Hard" not in of_coco.columns
    row = dict(zip(of_crowdpose.columns, of_crowdpose.rows[0], strict=True))
    assert (row["Easy"], row["Medium"], row["Hard"]) == ("80.0", DASH, "37.5")
    assert "crowd index" in of_crowdpose.note
    assert "crowd index" not in of_coco.note


def test_without_crowd_indices_there_are_no_columns_of_them() -> None:
    table = comparison_table([result_row()], published())
    assert not [name for name in table.columns if name.startswith("AP_") and name.endswith(("easy", "medium", "hard"))]
    assert "Easy" not in comparison_sections(table)[0].columns


def test_numbers_of_boxes_stay_numbers() -> None:
    detections, annotated = box_table([box_row(), box_row(None)]).to_dict(orient="records")
    assert (detections["count"], detections["dropped"], detections["box_AP"]) == (104_125, 1007, 56.25)
    assert detections["reasons"] == "7 other categories, 1000 unknown images"
    assert (annotated["count"], annotated["dropped"]) == (6352, 11_004 - 6352)
    assert annotated["reasons"] == "227 crowds, 4424 without keypoints, 1 outside of the image"
    assert math.isnan(annotated["box_AP"])


def test_without_labelled_persons_there_is_no_ap() -> None:
    (line,) = box_table([box_row(-1.0)]).to_dict(orient="records")
    assert math.isnan(line["box_AP"])


def test_a_section_shows_boxes() -> None:
    (section,) = box_sections(box_table([box_row(), box_row(None), box_row(0.25, kind="detector")]))
    first, second, third = (dict(zip(section.columns, row, strict=True)) for row in section.rows)
    assert (first["Data set"], first["Source"], first["Count"]) == ("COCO, val", "detector boxes", "104,125")
    assert (first["Dropped"], first["Box AP"], first["Images without"]) == ("1,007", "56.2", "12")
    assert (second["Count"], second["Box AP"]) == ("6,352", DASH)
    assert (third["Source"], third["Box AP"]) == ("boxes of a detector run by this workflow", "25.0")


def test_no_boxes_are_no_section() -> None:
    assert box_sections(box_table([])) == []
