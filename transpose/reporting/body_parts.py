"""Tables of how occluded and visible keypoints depend on their mirror partners and neighbours."""

from collections.abc import Iterator

from transpose.attention.estimates import Estimate
from transpose.attention.records import STATES, BodyPartReport
from transpose.config.study import Analysis
from transpose.reporting.analysis_table import AnalysisTable, reports_by_setting
from transpose.reporting.common import setting_title
from transpose.reporting.estimates import about, columns_of, mean_over_seeds, words_of
from transpose.reporting.sections import Section
from transpose.reporting.study_files import StudyFiles

GROUP_WORDS = {
    "place": "cells at the keypoint",
    "own_parts": "its own body parts, other cells",
    "symmetric": "its mirror partner",
    "neighbours": "its neighbours along limbs",
    "rest_of_body": "the rest of the body",
    "other_keypoints": "the other keypoints",
    "other_people": "other people",
    "background": "background",
    "elsewhere": "elsewhere",
}
_DIVISION_WORDS = {
    "body_parts": "by the rendered body part labels",
    "keypoint_neighbourhoods": "by the cells around labelled keypoints, as there are no body part labels",
}
_STATE_WORDS = {"hidden": "occluded", "seen": "visible"}

HIDDEN_MINUS_SEEN = "hidden_minus_seen"

FOOTNOTES = [
    "Occluded keypoints are labelled v = 1, visible ones v = 2. Only keypoints that the unflipped pass predicts with a"
    " similarity (the keypoint's term of OKS) of 0.5 or more, on annotated boxes. Intervals are 95 % bootstraps over"
    " images. With several seeds, values and interval ends are averaged.",
    "Occluded minus visible compares each kind of keypoint with itself and weights kinds by their number of occluded"
    " keypoints. It therefore differs from the difference of the two columns before it.",
    "Cells at the keypoint: cells around its prediction, of any body part, since attention is strong nearby and a"
    " keypoint is often occluded by its mirror partner. All other groups exclude these cells.",
    "Attention: the last layer's row of the keypoint's cell, mean over heads. Times uniform: divided by the group's"
    " share of the crop. Masked: cells covered at least half by the group, masked as keys of all layers. Random: the"
    " same number of random cells of the crop.",
]


def write_body_part_table(files: StudyFiles) -> None:
    """Write `body_parts` as .csv, .md, .html and .tex into the study's results folder.

    Raises:
        InputError: the study has no attention analysis, a file is missing or broken, or annotations differ.
    """
    table = AnalysisTable("Mirror partners and neighbours", FOOTNOTES)
    for _, models in reports_by_setting(files, Analysis.BODY_PARTS, BodyPartReport):
        for mean in map(mean_over_seeds, models):
            table.rows += body_part_rows(mean, files.study.seeds)
            table.sections += [attention_section(mean), masking_section(mean)]
    table.write(files, Analysis.BODY_PARTS)


def body_part_rows(report: BodyPartReport, seeds: int) -> list[dict[str, object]]:
    """Return one row per estimate of one variant on one setting."""
    return [
        about(report, seeds)
        | {"divided_by": report.divided_by}
        | dict(zip(("group", "keypoints", "measure"), what, strict=True))
        | columns_of(estimate)
        for what, estimate in _estimates(report).items()
    ]


def attention_section(report: BodyPartReport) -> Section:
    """Return the share of the keypoints' attention on each group of cells, a row per group."""
    found = _estimates(report)
    rows = tuple(
        (
            GROUP_WORDS[group],
            *(words_of(found[group, state, "attention_mass"], 1, 100) for state in STATES),
            words_of(found[group, HIDDEN_MINUS_SEEN, "attention_mass"], 1, 100, signed=True),
            *(words_of(found[group, state, "attention_lift"], 2) for state in STATES),
            words_of(found[group, HIDDEN_MINUS_SEEN, "attention_lift"], 2, signed=True),
            _counts(found, group, "attention_mass"),
        )
        for group in _groups(report)
    )
    columns = (
        "Attention on",
        "Mass (%), occluded",
        "Mass (%), visible",
        "Mass, occluded minus visible",
        "Times uniform, occluded",
        "Times uniform, visible",
        "Times uniform, occluded minus visible",
        "Keypoints, occluded / visible",
    )
    return Section(f"{_heading(report)}: attention", _note(report), columns, rows)


def masking_section(report: BodyPartReport) -> Section:
    """Return the change of the keypoints when a group of cells is masked, a row per group."""
    found = _estimates(report)
    rows = tuple(
        (
            GROUP_WORDS[group],
            *(words_of(found[group, state, "similarity_drop"], 1, 100) for state in STATES),
            words_of(found[group, HIDDEN_MINUS_SEEN, "similarity_drop"], 1, 100, signed=True),
            *(words_of(found[group, state, "similarity_drop_beyond_random"], 1, 100, signed=True) for state in STATES),
            *(words_of(found[group, state, "shift"], 2) for state in STATES),
            words_of(found[group, HIDDEN_MINUS_SEEN, "shift"], 2, signed=True),
            *(words_of(found[group, state, "peak_drop"], 1, 100) for state in STATES),
            _counts(found, group, "similarity_drop"),
        )
        for group in _groups(report)
    )
    columns = (
        "Masked",
        "Similarity lost (points), occluded",
        "Similarity lost, visible",
        "Similarity lost, occluded minus visible",
        "Lost beyond random cells, occluded",
        "Lost beyond random cells, visible",
        "Moved (crop px), occluded",
        "Moved, visible",
        "Moved, occluded minus visible",
        "Peak lost (%), occluded",
        "Peak lost, visible",
        "Keypoints, occluded / visible",
    )
    return Section(f"{_heading(report)}: masked", _note(report), columns, rows)


def _estimates(report: BodyPartReport) -> dict[tuple[str, str, str], Estimate]:
    """Return the estimates by group, state of the keypoints and measure."""
    found = {(row.group, str(row.keypoints), row.measure): row.mean for row in report.rows}
    differences = {(one.group, HIDDEN_MINUS_SEEN, one.measure): one.hidden_minus_seen for one in report.differences}
    return found | differences


def _groups(report: BodyPartReport) -> Iterator[str]:
    yield from dict.fromkeys(row.group for row in report.rows)


def _counts(found: dict[tuple[str, str, str], Estimate], group: str, measure: str) -> str:
    return " / ".join(f"{found[group, state, measure].count:,}" for state in STATES)


def _note(report: BodyPartReport) -> str:
    keypoints = ", ".join(
        f"{one.found_well:,} of {one.labelled:,} {_STATE_WORDS[one.keypoints]} keypoints" for one in report.keypoints
    )
    division = _DIVISION_WORDS[report.divided_by]
    return f"cells grouped {division}; {report.persons:,} persons; similarity of 0.5 or more: {keypoints}"


def _heading(report: BodyPartReport) -> str:
    return f"{setting_title(report)}: {report.title}"
