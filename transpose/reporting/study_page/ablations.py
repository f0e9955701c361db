"""Ablations as forest plots: one table per question, on one axis."""

from collections.abc import Sequence

from transpose.config.study import StudyTable
from transpose.reporting.sections import DASH
from transpose.reporting.study_page.axis import Axis
from transpose.reporting.study_page.blocks import Block, Cell, Group, Paragraph, Part, Table
from transpose.reporting.study_page.numbers import (
    Row,
    answer_cell,
    groups_of,
    interval_cell,
    interval_of,
    number_cell,
    read_rows,
)
from transpose.reporting.study_page.place import Place, setting_text

_COLUMNS = ("Variant", "Difference, points", "95 % interval", "Answer", "On", "Needed", "Seeds", "Baseline")
_NOTE = (
    "Difference in AP or PCKh of two variants on the same resampled images. Right of 0 the variant is better. Needed:"
    " seeds on these images, or images like these, that would make a true difference of the measured size clear with a"
    " probability of 80 %."
)


def ablation_part(place: Place) -> Part:
    """Return one table per question."""
    rows = read_rows(place.files.layout.table(StudyTable.ABLATIONS))
    blocks: list[Block] = [Paragraph(_NOTE), place.files_of(StudyTable.ABLATIONS)]
    for first, found in groups_of(rows, ("question",)):
        blocks.append(Part(first["question"], [_table(found)]))
    return Part("Ablations", blocks if rows else [Paragraph("Not in this study.")], "ablations")


def _table(rows: Sequence[Row]) -> Table:
    """Return the rows of a question; a baseline that they share is in the note."""
    axis = Axis.over([interval_of(row, "difference", "low", "high") for row in rows], zero=True)
    baselines = {row["baseline"] for row in rows}
    shown = len(_COLUMNS) - (len(baselines) == 1)
    note = f"Baseline: {baselines.pop()}" if len(baselines) == 1 else ""
    return Table(_COLUMNS[:shown], [Group([_cells(row)[:shown] for row in rows], axis)], note, drawn=2)


def _cells(row: Row) -> list[Cell]:
    difference = interval_of(row, "difference", "low", "high")
    return [
        Cell(row["variant"]),
        number_cell(difference.value if difference else None, signed=True),
        interval_cell(difference, signed=True),
        answer_cell(row["answer"]),
        Cell(setting_text(row)),
        Cell(_needed(row)),
        Cell(row["seeds"]),
        Cell(row["baseline"]),
    ]


def _needed(row: Row) -> str:
    counts = ((row.get(f"{name}_needed", ""), name) for name in ("seeds", "images"))
    return " or ".join(f"{float(count):,.0f} {name}" for count, name in counts if count) or DASH
