import pytest

from tests.helpers.sample_results import ablation, demo_rows, published, result_row
from transpose.reporting.ablation_table import ablation_table
from transpose.reporting.records import ResultRow
from transpose.reporting.sections import (
    DASH,
    Section,
    ablation_sections,
    comparison_sections,
    reproduction_sections,
    verdict_section,
)
from transpose.reporting.tables import comparison_table, verdict_table


def column(section: Section, name: str) -> list[str]:
    return [row[section.columns.index(name)] for row in section.rows]


def sections_of(*rows: ResultRow) -> list[Section]:
    return comparison_sections(comparison_table(list(rows), published()))


def test_no_section_mixes_data_sets_or_boxes():
    sections = sections_of(*demo_rows())
    assert [section.title for section in sections] == [
        "synthetic people, val, ground truth boxes",
        "synthetic people, val, simulated boxes",
        "real photographs, val, ground truth boxes",
        "real photographs, val, simulated boxes",
    ]
    assert all(len(section.rows) == 6 for section in sections)
    assert "simulated boxes (ground truth with errors, no detector)" in sections[1].note
    assert "30 images, 71 persons" in sections[2].note
    assert "pretrained backbone" in sections[2].note


def test_a_section_refuses_rows_on_different_persons():
    with pytest.raises(ValueError, match="different images or persons"):
        sections_of(result_row("tp_r_a3"), result_row("tp_h_s", persons=6000))


def test_dashes_where_nothing_is_comparable():
    (section,) = sections_of(result_row("tp_r_a3", benchmark=None))
    assert column(section, "Published") == [DASH]
    assert column(section, "Difference") == [DASH]


def test_published_and_measured_are_in_one_row():
    rows = result_row("tp_r_a3", (0.7172, 0.7154)), result_row("tp_r_a5", (0.701,)), result_row("tp_h_s", ())
    (section,) = sections_of(*rows)
    first, second, missing = (dict(zip(section.columns, row, strict=True)) for row in section.rows)
    assert (first["AP"], first["Published"], first["Difference"]) == ("71.6 ± 0.1", "71.7", "−0.1")
    assert (second["Published"], second["Difference"]) == ("72.2?", "−2.1")
    assert second["Result"].startswith("not reproduced")
    assert (missing["AP"], missing["Published"], missing["Difference"]) == ("not run", "74.2", DASH)
    assert missing["Result"] == "not run"
    assert missing["AP50"] == DASH


def test_what_rows_share_is_said_once_and_what_they_do_not_in_a_column():
    (alike,) = sections_of(result_row("tp_r_a3"), result_row("tp_h_s"))
    assert "Input" not in alike.columns
    assert "input 256x192" in alike.note
    (unlike,) = sections_of(result_row("tp_r_a3"), result_row("tp_h_s", input_size=(384, 288)))
    assert column(unlike, "Input") == ["256x192", "384x288"]


def test_rows_are_marked_with_their_notes():
    (section,) = sections_of(result_row("tp_r_a3"), result_row("tp_h_s", notes=("code has changed since",)))
    assert column(section, "Notes") == ["", "code has changed since"]


def test_missing_seeds_are_counted():
    (section,) = sections_of(result_row("tp_r_a3", (0.7, 0.71)), result_row("tp_h_s", (0.7, 0.7), seeds_planned=3))
    assert column(section, "Seeds") == ["2", "2/3"]


def test_ablation_answers_and_signs():
    needed = {"seeds_needed": 7, "images_needed": 12_000}
    records = [
        ablation(0.05, (0.02, 0.08), seeds=1, images_needed=90),
        ablation(-0.01, (-0.04, 0.02), **needed),
        ablation(0.0, None),
        ablation(None, None),
    ]
    (section,) = ablation_sections(ablation_table(records))
    assert section.title == "Does a position embedding help?"
    assert column(section, "Difference in AP") == ["+5.0", "−1.0", "0.0", "not run"]
    assert column(section, "95 % interval") == ["[+2.0, +8.0]", "[−4.0, +2.0]", DASH, DASH]
    assert column(section, "Answer") == ["differs, one training", "undecided", "no interval", "not run"]
    assert column(section, "Needed") == ["90 images", "7 seeds or 12,000 images", DASH, DASH]


def test_differences_over_several_seeds_show_where_the_width_comes_from():
    records = [
        ablation(0.05, (0.02, 0.08), seeds=3, half_widths=(0.012, 0.0275), sign_flip_p=0.25),
        ablation(0.01, (-0.02, 0.04), seeds=1),
    ]
    (section,) = ablation_sections(ablation_table(records))
    assert column(section, "± images") == ["1.2", DASH]
    assert column(section, "± trainings") == ["2.8", DASH]
    assert column(section, "p") == ["0.250", DASH]
    assert "sign-flip test" in section.note
    (single,) = ablation_sections(ablation_table(records[1:]))
    assert "p" not in single.columns
    assert "sign_flip_p" not in ablation_table(records[1:]).columns


def test_verdicts_count_what_was_not_run():
    verdicts = verdict_table([result_row("tp_r_a3", (0.6,))], published())
    section = verdict_section(verdicts)
    assert f"{len(verdicts)} published rows; {len(verdicts) - 50} not run; 49 of other models" in section.note
    (reproductions,) = reproduction_sections(verdicts)
    assert len(reproductions.rows) == 1
    assert reproductions.note == section.note
    assert reproduction_sections(verdict_table(demo_rows(), published())) == []


def test_nothing_to_show_is_no_error():
    assert comparison_sections(comparison_table([], published())) == []
    assert ablation_sections(ablation_table([])) == []
