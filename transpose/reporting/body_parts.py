"""What hidden and seen keypoints owe to their mirror partners and neighbours, as tables of a study."""

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
    "place": "the keypoint's place",
    "own_parts": "its own parts beyond",
    "symmetric": "its mirror partner",
    "neighbours": "its neighbours along limbs",
    "rest_of_body": "the rest of the body",
    "other_keypoints": "the other keypoints",
    "other_people": "other people",
    "background": "background",
    "elsewhere": "elsewhere",
}
_DIVISION_WORDS = {
    "body_parts": "by the body parts seen in the image, which rendering tells",
    "keypoint_neighbourhoods": "by the cells around labelled keypoints, for want of known body parts",
}

HIDDEN_MINUS_SEEN = "hidden_minus_seen"

FOOTNOTES = [
    "Hidden keypoints are labelled and occluded (v = 1), seen ones visible (v = 2); only those that the unflipped pass"
    " finds with a keypoint similarity (the term of OKS) of 0.5 or more, on annotated boxes. 95 % bootstraps over"
    " images; with several seeds values and ends are averaged.",
    "Hidden minus seen compares like with like: each kind of keypoint with itself, kinds weighing as often as they are"
    " hidden. So it is not the difference of the two columns before it.",
    "The keypoint's place: cells around its prediction, whatever is seen there, since attention is strong nearby and a"
    " keypoint is often hidden by its mirror partner. All other groups begin beyond it.",
    "Attention: the last layer's row of the keypoint's cell, mean of heads; times uniform: over the place's share of"
    " the crop. Masked: cells that the place covers at least half, as keys of all layers. Random: as many cells of"
    " the crop, drawn.",
]


def write_body_part_table(files: StudyFiles) -> None:
    """Write `body_parts` as .csv, .md, .html and .tex into the study's results folder.

    Raises:
        InputError: the study measures no attention, or a file is missing, broken or of other annotations.
    """
    table = AnalysisTable("Mirror partners and neighbours", FOOTNOTES)
    for _, models in reports_by_setting(files, Analysis.BODY_PARTS, BodyPartReport):
        for mean in map(mean_over_seeds, models):
            table.rows += body_part_rows(mean, files.study.seeds)
            table.sections += [attention_section(mean), masking_section(mean)]
    table.write(files, Analysis.BODY_PARTS)


def body_part_rows(report: BodyPartReport, seeds: int) -> list[dict[str, object]]:
    """One row a number of one variant on one place."""
    return [
        about(report, seeds)
        | {"divided_by": report.divided_by}
        | dict(zip(("group", "keypoints", "measure"), what, strict=True))
        | columns_of(estimate)
        for what, estimate in _estimates(report).items()
    ]


def attention_section(report: BodyPartReport) -> Section:
    """A row a group of places: what share of the keypoints' attention it has."""
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
        "Mass (%), hidden",
        "Mass (%), seen",
        "Mass, hidden minus seen",
        "Times uniform, hidden",
        "Times uniform, seen",
        "Times uniform, hidden minus seen",
        "Keypoints, hidden / seen",
    )
    return Section(f"{_heading(report)}: attention", _note(report), columns, rows)


def masking_section(report: BodyPartReport) -> Section:
    """A row a group of places: what becomes of the keypoints without it."""
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
        "Similarity lost (points), hidden",
        "Similarity lost, seen",
        "Similarity lost, hidden minus seen",
        "Lost beyond random cells, hidden",
        "Lost beyond random cells, seen",
        "Moved (crop px), hidden",
        "Moved, seen",
        "Moved, hidden minus seen",
        "Peak lost (%), hidden",
        "Peak lost, seen",
        "Keypoints, hidden / seen",
    )
    return Section(f"{_heading(report)}: masked", _note(report), columns, rows)


def _estimates(report: BodyPartReport) -> dict[tuple[str, str, str], Estimate]:
    """By group, kind of keypoints and measure."""
    found = {(row.group, str(row.keypoints), row.measure): row.mean for row in report.rows}
    differences = {(one.group, HIDDEN_MINUS_SEEN, one.measure): one.hidden_minus_seen for one in report.differences}
    return found | differences


def _groups(report: BodyPartReport) -> Iterator[str]:
    yield from dict.fromkeys(row.group for row in report.rows)


def _counts(found: dict[tuple[str, str, str], Estimate], group: str, measure: str) -> str:
    return " / ".join(f"{found[group, state, measure].count:,}" for state in STATES)


def _note(report: BodyPartReport) -> str:
    keypoints = ", ".join(
        f"{one.found_well:,} of {one.labelled:,} {one.keypoints} keypoints" for one in report.keypoints
    )
    return f"divided {_DIVISION_WORDS[report.divided_by]}; {report.persons:,} persons, found well {keypoints}"


def _heading(report: BodyPartReport) -> str:
    return f"{setting_title(report)}: {report.title}"
