"""The claims about attention: each in plain words, with a forest plot over models and measures."""

from collections import Counter
from collections.abc import Sequence

from transpose.config.study import ATTENTION_ANALYSES, StudyTable
from transpose.reporting.sections import DASH
from transpose.reporting.study_page.axis import Axis
from transpose.reporting.study_page.blocks import Block, Cell, Folded, Group, Page, Paragraph, Part, Table
from transpose.reporting.study_page.charts import attention_charts
from transpose.reporting.study_page.numbers import (
    Row,
    groups_of,
    interval_cell,
    interval_of,
    number_cell,
    number_of,
    read_rows,
)
from transpose.reporting.study_page.place import Place

_COLUMNS = ("Model", "Value", "95 % interval", "Result", "Keypoints or persons", "Images")
_ONE = " by one training"
_INTRODUCTION = (
    "What the paper says or assumes about attention, tested on the models of this study. Supported: the whole 95 %"
    " interval is on the side of 0 that the claim predicts; not supported: on the other side; undecided: it contains 0."
    " One training: the interval is over images only, and another training may differ. A supported effect can be small,"
    " and of a hundred true zero effects about five look decided."
)


def findings_page(place: Place) -> Page:
    """Return the page of all claims."""
    rows = read_rows(place.files.layout.table(StudyTable.CLAIMS))
    parts = [
        Part(first["setting"], [_overview(found), *(_claim(claim) for _, claim in groups_of(found, ("claim",)))])
        for first, found in groups_of(rows, ("setting",))
    ]
    blocks: list[Block] = [place.files_of(StudyTable.CLAIMS, *ATTENTION_ANALYSES)]
    if charts := attention_charts(place):
        blocks.append(Folded("Figures of the attention analyses", charts))
    more = Part("Files and figures", blocks if rows else [Paragraph("Attention analyses are not in this study.")])
    return Page("findings.html", "Findings about attention", _INTRODUCTION if rows else "", [*parts, more])


def findings_part(place: Place) -> Part:
    """Return the overview of the claims for the first page."""
    rows = read_rows(place.files.layout.table(StudyTable.CLAIMS))
    blocks: list[Block] = []
    for first, found in groups_of(rows, ("setting",)):
        blocks += [Paragraph(f"On {first['setting']}:"), _overview(found, "findings.html")]
    return Part("Findings about attention", blocks or [Paragraph("Not in this study.")], "findings")


def _overview(rows: Sequence[Row], page: str = "") -> Table:
    cells = []
    for first, found in groups_of(rows, ("claim",)):
        verdict, result = _verdict(found)
        cells.append([Cell(first["plain"], url=f"{page}#{_anchor(first)}"), Cell(verdict, result=result)])
    return Table(("Claim", "Result"), [Group(cells)])


def _claim(rows: Sequence[Row]) -> Part:
    first, (verdict, result) = rows[0], _verdict(rows)
    measured = [row for row in rows if row["model"]]
    groups = [_group(found) for _, found in groups_of(measured, ("measured",))]
    blocks: list[Block] = [
        Paragraph(f"Result: {verdict}.", result=result),
        Paragraph(f"What was done: {first['done']}"),
    ]
    if groups:
        blocks.append(Table(_COLUMNS, groups, drawn=2))
    details = [Paragraph(f"Claim: {first['claim']}. {first['said']}"), Paragraph(f"How it is tested: {first['how']}")]
    return Part(
        first["plain"], [*blocks, Folded("Source of the claim and details of the test", details)], _anchor(first)
    )


def _group(rows: Sequence[Row]) -> Group:
    axis = Axis.over([interval_of(row, "value", "low", "high") for row in rows], zero=True)
    heading = f"{rows[0]['measured']}; the claim predicts a value {rows[0]['predicted']}"
    return Group([_cells(row) for row in rows], axis, heading)


def _cells(row: Row) -> list[Cell]:
    return [
        Cell(row["model"]),
        number_cell(number_of(row, "value"), 2, signed=True),
        interval_cell(interval_of(row, "value", "low", "high"), 2, signed=True),
        Cell(row["result"].replace(_ONE, ", one training"), result=_class(row["result"])),
        *(number_cell(number_of(row, name), 0) if row[name] else Cell(DASH) for name in ("count", "images")),
    ]


def _verdict(rows: Sequence[Row]) -> tuple[str, str]:
    """Return the results of a claim's measurements in words, and their class if they agree."""
    counts = Counter(row["result"].removesuffix(_ONE) for row in rows)
    end = ", one training each" if any(row["result"].endswith(_ONE) for row in rows) else ""
    if len(counts) == 1:
        (result,) = counts
        number = "the only measurement" if len(rows) == 1 else f"all {len(rows)} measurements"
        return (result if result == "not measured" else f"{result} in {number}{end}"), _class(result)
    return ", ".join(f"{result} in {count} of {len(rows)}" for result, count in counts.most_common()) + end, "open"


def _class(result: str) -> str:
    if result.startswith("supported"):
        return "yes"
    return "no" if result.startswith("not supported") else "open"


def _anchor(row: Row) -> str:
    words = "".join(letter if letter.isalnum() else " " for letter in row["claim"].lower()).split()
    return "-".join(words[:8])
