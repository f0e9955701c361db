"""Ablations as forest plots: one table per question, on one axis."""

from transpose.config.study import StudyTable
from transpose.reporting.sections import DASH
from transpose.reporting.study_page.axis import Axis
from transpose.reporting.study_page.blocks import Block, Cell, Group, Paragraph, Part, Table
from transpose.reporting.study_page.numbers import Row, groups_of, interval_cell, interval_of, number_cell, read_rows
from transpose.reporting.study_page.place import Place, setting_text

_COLUMNS = ("Variant", "Minus baseline, points", "95 % interval", "Answer", "Baseline", "On", "Needed", "Seeds")
_RESULTS = {"clear": "yes", "differs, one training": "maybe", "undecided": "open"}
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
        axis = Axis.over([interval_of(row, "difference", "low", "high") for row in found], zero=True)
        blocks.append(
            Part(first["question"], [Table(_COLUMNS, [Group([_cells(row) for row in found], axis)], drawn=2)])
        )
    return Part("Ablations", blocks if rows else [Paragraph("Not in this study.")], "ablations")


def _cells(row: Row) -> list[Cell]:
    difference = interval_of(row, "difference", "low", "high")
    return [
        Cell(row["variant"]),
        number_cell(difference.value if difference else None, signed=True),
        interval_cell(difference, signed=True),
        Cell(row["answer"], result=_RESULTS.get(row["answer"], "")),
        Cell(row["baseline"]),
        Cell(setting_text(row)),
        Cell(_needed(row)),
        Cell(row["seeds"]),
    ]


def _needed(row: Row) -> str:
    counts = ((row.get(f"{name}_needed", ""), name) for name in ("seeds", "images"))
    return " or ".join(f"{float(count):,.0f} {name}" for count, name in counts if count) or DASH
