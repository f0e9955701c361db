"""Other protocols, input sizes and dtypes."""

from collections.abc import Sequence

from transpose.config.study import Analysis
from transpose.reporting.sections import DASH
from transpose.reporting.study_page.axis import Axis, Interval
from transpose.reporting.study_page.blocks import Block, Cell, Folded, Group, Paragraph, Part, Table
from transpose.reporting.study_page.numbers import (
    Row,
    groups_of,
    interval_cell,
    interval_of,
    number_cell,
    number_of,
    read_rows,
    text_cell,
)
from transpose.reporting.study_page.place import Place, setting_text

ABSENT = Paragraph("Not in this study.")
_SETTING = ("dataset", "split", "boxes")
_CHOICES = {"flip_test": "Flip test", "decoder": "Decoder", "nms_threshold": "OKS-NMS", "score": "Score of a person"}


def protocol_part(place: Place) -> Part:
    """Return single changes of the protocol, with all combinations folded."""
    rows = read_rows(place.files.layout.table(Analysis.PROTOCOLS))
    note = "All from one set of heatmaps per model. Differences are from the study's protocol, in points of AP."
    blocks: list[Block] = [Paragraph(note), place.files_of(Analysis.PROTOCOLS)]
    for first, found in groups_of(rows, ("model", *_SETTING)):
        official = next((row for row in found if row["official"] == "True"), first)
        single = [row for row in found if len(_changed(row, official)) <= 1]
        tables = [_protocol_table(single, official), Folded("All combinations", [_protocol_table(found, official)])]
        blocks.append(Part(f"{first['model']}: {setting_text(first)}", tables))
    return Part("Evaluation protocol", blocks if rows else [ABSENT], "protocol")


def _changed(row: Row, official: Row) -> list[str]:
    return [name for name in _CHOICES if row[name] != official[name]]


def _protocol_table(rows: Sequence[Row], official: Row) -> Table:
    cells = [
        [
            Cell(
                ", ".join(f"{_CHOICES[name].lower()} {_words(row[name])}" for name in _changed(row, official)) or "none"
            ),
            number_cell(number_of(row, "AP")),
            number_cell(number_of(row, "difference"), 2, signed=True),
            *(number_cell(number_of(row, name)) for name in ("AP50", "AP75", "AR")),
            *(Cell(_words(row[name])) for name in _CHOICES),
        ]
        for row in rows
    ]
    return Table(("Change", "AP", "Difference", "AP50", "AP75", "AR", *_CHOICES.values()), [Group(cells)])


def _words(value: str) -> str:
    return {"True": "on", "False": "off", "": "off"}.get(value, value.replace("_", " "))


def resolution_part(place: Place) -> Part:
    """Return AP at other input sizes, with a figure for each setting."""
    rows = read_rows(place.files.layout.table(Analysis.RESOLUTIONS))
    note = (
        "Trained weights at other input sizes than in training. Position: how the embedding is adapted to the new grid."
        " Differences are from the training size, in points of AP."
    )
    blocks: list[Block] = [Paragraph(note), place.files_of(Analysis.RESOLUTIONS)]
    for first, found in groups_of(rows, _SETTING):
        axis = Axis.over([interval_of(row, "AP", "AP_low", "AP_high") for row in found])
        table = Table(_SIZE_COLUMNS, [Group([_size_cells(row) for row in found], axis)], drawn=3)
        setting = place.setting_of(first)
        figures = []
        if setting is not None:
            path = place.files.layout.figure(Analysis.RESOLUTIONS, *setting)
            figures.append(place.chart(path, f"AP by input size: {setting_text(first)}."))
        blocks.append(Part(setting_text(first), [*figures, table]))
    return Part("Input sizes", blocks if rows else [ABSENT], "sizes")


_SIZE_COLUMNS = ("Model", "Input", "AP", "95 % interval", "Difference", "Position", "Embedding", "AP50", "AP75", "AR")


def _size_cells(row: Row) -> list[Cell]:
    height, width = row["input"].split("x")
    return [
        Cell(row["model"]),
        Cell(row["input"], float(height) * float(width)),
        number_cell(number_of(row, "AP")),
        interval_cell(interval_of(row, "AP", "AP_low", "AP_high")),
        number_cell(number_of(row, "difference"), signed=True),
        Cell(row["way"].replace("_", " ")),
        Cell(row["embedding"]),
        *(number_cell(number_of(row, name)) for name in ("AP50", "AP75", "AR")),
    ]


def dtype_part(place: Place) -> Part:
    """Return the loss of AP in lower-precision dtypes."""
    rows = read_rows(place.files.layout.table(Analysis.DTYPES))
    note = (
        "The same weights on the same crops with the network in a lower-precision dtype, compared with fp32. Shifts of"
        " keypoints are in image pixels. Same peak: share of heatmaps with the maximum at the same pixel."
    )
    blocks: list[Block] = [Paragraph(note), place.files_of(Analysis.DTYPES)]
    for first, found in groups_of(rows, _SETTING):
        axis = Axis.over([_dtype_difference(row) for row in found], zero=True)
        table = Table(_DTYPE_COLUMNS, [Group([_dtype_cells(row) for row in found], axis)], drawn=3)
        blocks.append(Part(setting_text(first), [table]))
    return Part("Lower-precision dtypes", blocks if rows else [ABSENT], "dtypes")


_DTYPE_COLUMNS = (
    "Model",
    "Dtype",
    "Difference, points",
    "95 % interval",
    "AP",
    "AP in fp32",
    "Same peak, %",
    "Median shift, px",
    "99 % within, px",
    "Device",
)


def _dtype_difference(row: Row) -> Interval | None:
    return interval_of(row, "difference", "difference_low", "difference_high")


def _dtype_cells(row: Row) -> list[Cell]:
    difference = _dtype_difference(row)
    return [
        Cell(row["model"]),
        Cell(row["dtype"]),
        number_cell(difference.value if difference else None, 2, signed=True),
        interval_cell(difference, 2, signed=True),
        number_cell(number_of(row, "AP"), 2),
        number_cell(number_of(row, "AP_fp32"), 2),
        number_cell(number_of(row, "same_peak"), 2),
        number_cell(number_of(row, "median_shift"), 3),
        number_cell(number_of(row, "far_shift"), 2),
        text_cell(row["device"] or DASH),
    ]
