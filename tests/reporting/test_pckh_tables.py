"""Tables of results that are judged by PCKh."""

import pytest

from tests.helpers.sample_results import ablation, published, result_row
from transpose.reporting.ablation_table import ablation_table
from transpose.reporting.records import ResultRow
from transpose.reporting.sections import ablation_sections, comparison_sections, verdict_section
from transpose.reporting.tables import comparison_table, counterpart, verdict_table


def mpii_row(pckh50: float = 0.921, persons: int = 2958, benchmark: str = "mpii_val") -> ResultRow:
    """A made-up result of TransPose-H-A6, fine-tuned."""
    row = result_row(
        "tp_h_a6_mpii_finetuned",
        (pckh50,),
        dataset="mpii",
        benchmark=benchmark,
        boxes="ground_truth",
        box_kind="ground_truth",
        box_count=persons,
        persons=persons,
        input_size=(256, 256),
    )
    key = row.key.model_copy(update={"metric": "PCKh50"})
    metrics = {"PCKh50": pckh50, "PCKh11": 0.44, "PCKh10": 0.39}
    changes = {"metric": "PCKh50", "metrics": metrics}
    evaluations = tuple(report.model_copy(update=changes) for report in row.evaluations)
    return row.model_copy(update={"key": key, "evaluations": evaluations})


def test_a_pckh_row_has_its_published_values() -> None:
    row = comparison_table([mpii_row()], published()).to_dict(orient="records")[0]
    assert (row["PCKh50"], row["PCKh10"]) == (pytest.approx(92.1), pytest.approx(39))
    assert (row["published_PCKh50"], row["published_confirmed"]) == (92.3, True)
    assert (row["published_PCKh11"], row["published_PCKh11_confirmed"]) == (44.4, False)
    assert row["difference"] == pytest.approx(-0.2)
    assert row["verdict"] == "reproduced (±0.5 PCKh50)"
    assert (row["PCKh50_low"], row["PCKh50_high"]) == (pytest.approx(89.1), pytest.approx(95.1))
    assert "AP" not in row


def test_readers_see_the_limits_and_which_figure_is_recalled() -> None:
    (section,) = comparison_sections(comparison_table([mpii_row()], published()))
    cells = dict(zip(section.columns, section.rows[0], strict=True))
    assert (cells["PCKh50"], cells["Published"], cells["PCKh10"]) == ("92.1", "92.3", "39.0")
    assert (cells["PCKh11"], cells["Published PCKh11"]) == ("44.0", "44.4?")
    assert "exactly 0.1" in section.note
    assert "AP50" not in cells


def test_a_section_of_ap_does_not_change_with_one_of_pckh() -> None:
    first, second = comparison_sections(comparison_table([result_row(), mpii_row()], published()))
    assert first.columns[:3] == ("Model", "AP", "95 % interval")
    assert {"AP50", "AP75", "AR"} <= set(first.columns)
    assert not {"PCKh10", "PCKh11"} & set(first.columns)
    assert second.columns[1] == "PCKh50"
    assert "exactly 0.1" not in first.note


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (mpii_row(persons=500), "500 persons instead of 2958"),
        (mpii_row(benchmark="coco_val2017"), "evaluated by PCKh50, not by AP"),
        (
            result_row("tp_h_a6_mpii_finetuned", benchmark="mpii_val", box_kind="ground_truth"),
            "evaluated by AP, not by PCKh50",
        ),
    ],
)
def test_what_is_not_the_benchmark_has_no_counterpart(row: ResultRow, reason: str) -> None:
    assert counterpart(row, published()) == (None, reason)


def test_verdicts_are_about_the_benchmark_s_figure() -> None:
    table = verdict_table([mpii_row(0.80)], published())
    (line,) = [line for line in table.to_dict(orient="records") if line["variant"]]
    assert (line["metric"], line["published"], line["measured"]) == ("PCKh50", 92.3, pytest.approx(80))
    assert line["difference"] == pytest.approx(-12.3)
    assert line["verdict"] == "not reproduced (±0.5 PCKh50)"
    (shown,) = [row for row in verdict_section(table).rows if "80.0" in row]
    assert "PCKh50" in shown


def test_an_ablation_names_its_figure() -> None:
    record = ablation(0.01, (0.001, 0.02)).model_copy(update={"metric": "PCKh50"})
    (section,) = ablation_sections(ablation_table([record]))
    assert "Difference in PCKh50" in section.columns
