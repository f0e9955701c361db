"""Tables of how occluded and visible keypoints depend on their mirror partners and neighbours."""

from collections.abc import Sequence
from typing import NamedTuple

from transpose.attention.records import STATES, BodyPartReport
from transpose.config.study import Analysis
from transpose.evaluation.intervals import Estimate
from transpose.reporting.analysis_table import AnalysisTable, reports_by_setting
from transpose.reporting.estimates import estimate_rows, mean_over_seeds, words_of
from transpose.reporting.labels import INTERVALS, model_title
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
    " similarity (the keypoint's term of OKS) of 0.5 or more, on annotated boxes.",
    INTERVALS,
    "Occluded minus visible compares each kind of keypoint with itself and weights kinds by their number of occluded"
    " keypoints. It therefore differs from the difference of the two columns before it.",
    "Cells at the keypoint: cells around its prediction, of any body part, since attention is strong nearby and a"
    " keypoint is often occluded by its mirror partner. All other groups exclude these cells.",
    "Attention: the last layer's row of the keypoint's cell, mean over heads. Times uniform: divided by the group's"
    " share of the crop. Masked: cells covered at least half by the group, masked as keys of all layers. Random: the"
    " same number of random cells of the crop.",
]


class _Column(NamedTuple):
    heading: str
    keypoints: str
    measure: str
    digits: int
    factor: float = 1.0
    signed: bool = False


_ATTENTION_COLUMNS = (
    _Column("Mass (%), occluded", "hidden", "attention_mass", 1, 100),
    _Column("Mass (%), visible", "seen", "attention_mass", 1, 100),
    _Column("Mass, occluded minus visible", HIDDEN_MINUS_SEEN, "attention_mass", 1, 100, signed=True),
    _Column("Times uniform, occluded", "hidden", "attention_lift", 2),
    _Column("Times uniform, visible", "seen", "attention_lift", 2),
    _Column("Times uniform, occluded minus visible", HIDDEN_MINUS_SEEN, "attention_lift", 2, signed=True),
)

_MASKING_COLUMNS = (
    _Column("Similarity lost (points), occluded", "hidden", "similarity_drop", 1, 100),
    _Column("Similarity lost, visible", "seen", "similarity_drop", 1, 100),
    _Column("Similarity lost, occluded minus visible", HIDDEN_MINUS_SEEN, "similarity_drop", 1, 100, signed=True),
    _Column("Lost beyond random cells, occluded", "hidden", "similarity_drop_beyond_random", 1, 100, signed=True),
    _Column("Lost beyond random cells, visible", "seen", "similarity_drop_beyond_random", 1, 100, signed=True),
    _Column("Moved (crop px), occluded", "hidden", "shift", 2),
    _Column("Moved, visible", "seen", "shift", 2),
    _Column("Moved, occluded minus visible", HIDDEN_MINUS_SEEN, "shift", 2, signed=True),
    _Column("Peak lost (%), occluded", "hidden", "peak_drop", 1, 100),
    _Column("Peak lost, visible", "seen", "peak_drop", 1, 100),
)


def write_body_part_table(files: StudyFiles) -> None:
    """Write `body_parts` as .csv, .md, .html and .tex into the study's results folder.

    Raises:
        InputError: the study has no attention analysis, a file is missing or broken, or annotations differ.
    """
    table = AnalysisTable("Mirror partners and neighbours", FOOTNOTES)
    for _, models in reports_by_setting(files, Analysis.BODY_PARTS, BodyPartReport):
        for mean in map(mean_over_seeds, models):
            table.rows += body_part_rows(mean)
            table.sections += [attention_section(mean), masking_section(mean)]
    table.write(files, Analysis.BODY_PARTS)


def body_part_rows(report: BodyPartReport) -> list[dict[str, object]]:
    """Return one row per estimate of one variant on one setting."""
    estimates = (((report.divided_by, *what), estimate) for what, estimate in _estimates(report).items())
    return estimate_rows(report, ("divided_by", "group", "keypoints", "measure"), estimates)


def attention_section(report: BodyPartReport) -> Section:
    """Return the share of the keypoints' attention on each group of cells, a row per group."""
    return _section(report, "attention", "Attention on", _ATTENTION_COLUMNS)


def masking_section(report: BodyPartReport) -> Section:
    """Return the change of the keypoints when a group of cells is masked, a row per group."""
    return _section(report, "masked", "Masked", _MASKING_COLUMNS)


def _section(report: BodyPartReport, title: str, first: str, columns: Sequence[_Column]) -> Section:
    found = _estimates(report)
    rows = tuple(
        (
            GROUP_WORDS[group],
            *(
                words_of(found[group, one.keypoints, one.measure], one.digits, one.factor, one.signed)
                for one in columns
            ),
            " / ".join(f"{found[group, state, columns[0].measure].count:,}" for state in STATES),
        )
        for group in dict.fromkeys(row.group for row in report.rows)
    )
    headings = (first, *(one.heading for one in columns), "Keypoints, occluded / visible")
    return Section(f"{model_title(report)}: {title}", _note(report), headings, rows)


def _estimates(report: BodyPartReport) -> dict[tuple[str, str, str], Estimate]:
    """Return the estimates by group, state of the keypoints and measure."""
    found = {(row.group, str(row.keypoints), row.measure): row.mean for row in report.rows}
    differences = {(one.group, HIDDEN_MINUS_SEEN, one.measure): one.hidden_minus_seen for one in report.differences}
    return found | differences


def _note(report: BodyPartReport) -> str:
    keypoints = ", ".join(
        f"{one.found_well:,} of {one.labelled:,} {_STATE_WORDS[one.keypoints]} keypoints" for one in report.keypoints
    )
    division = _DIVISION_WORDS[report.divided_by]
    return f"cells grouped {division}; {report.persons:,} persons; similarity of 0.5 or more: {keypoints}"
