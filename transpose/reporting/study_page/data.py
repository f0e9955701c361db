"""The page of data: checks of the splits, and person boxes."""

from transpose.config.study import StudyTable
from transpose.reporting.check_text import counts_text, render_split
from transpose.reporting.data_section import SplitRow, split_rows
from transpose.reporting.study_page.blocks import Block, Cell, Group, Lines, Page, Paragraph, Part, Table
from transpose.reporting.study_page.numbers import (
    Row,
    count_cell,
    number_cell,
    number_of,
    read_rows,
    text_cell,
)
from transpose.reporting.study_page.place import Place

_BOX_COLUMNS = ("Data set", "Boxes", "Count", "Box AP", "Dropped", "Images without", "Reasons", "Source")
_SPLIT_COLUMNS = ("Split", "Used for", "Images", "Persons", "Warnings", "Left out", "Derived")


def data_page(place: Place) -> Page:
    """Return the page of splits and boxes.

    Raises:
        InputError: a check is broken.
    """
    rows = split_rows(place.files)
    checks: list[Block] = [Paragraph("Found by the check of the data (transpose check-data prints the same).")]
    checks += [Part(row.title, [Lines(render_split(row.title, row.check))]) for row in rows if row.check is not None]
    splits = Part("Splits", [Table(_SPLIT_COLUMNS, [Group([_split_cells(row) for row in rows])]), *checks])
    return Page("data.html", "Data and person boxes", "", [splits, _boxes(place)])


def _split_cells(row: SplitRow) -> list[Cell]:
    check, uses = row.check, ", ".join(row.uses)
    if check is None:
        return [Cell(row.title), Cell(uses), Cell("not checked"), *(text_cell("") for _ in _SPLIT_COLUMNS[3:])]
    warnings = sum(warning.count for warning in check.warnings)
    return [
        Cell(row.title),
        Cell(uses),
        number_cell(check.images, 0),
        number_cell(check.persons, 0),
        number_cell(warnings, 0),
        text_cell(counts_text(check.left_out)),
        text_cell(counts_text(check.derived)),
    ]


def _boxes(place: Place) -> Part:
    rows = read_rows(place.files.layout.table(StudyTable.PERSON_BOXES))
    note = "Box AP is the COCO AP of the boxes as detections, over all annotated persons; annotated boxes have none."
    table = Table(_BOX_COLUMNS, [Group([_box_cells(row) for row in rows])], note)
    return Part("Person boxes", [table, place.files_of(StudyTable.PERSON_BOXES)])


def _box_cells(row: Row) -> list[Cell]:
    return [
        Cell(f"{row['dataset']}, {row['split']}"),
        Cell(row["boxes"].replace("_", " ")),
        count_cell(row["count"]),
        number_cell(number_of(row, "box_AP")),
        count_cell(row["dropped"]),
        count_cell(row["images_without_boxes"]),
        text_cell(row["reasons"]),
        Cell(row["box_source"]),
    ]
