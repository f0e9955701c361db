"""Tables of results as sections of text cells, independent of the file format."""

import math
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd

from transpose.evaluation.crowding import CROWDING
from transpose.reporting.labels import ANSWERS, NOT_RUN, PUBLISHED_ONLY, count_words

DASH = "–"

_SAME_TABLE = ("dataset", "split", "boxes", "box_source", "protocol")
_SAME_QUESTION = ("question", "dataset", "split", "boxes", "box_source")

_CROWDING = {name.capitalize(): f"AP_{name}" for name in CROWDING}
"""Heading -> column of the AP of images by crowd index."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """A table of text cells with a heading and a note. Plain text without markup, since names come from data."""

    title: str
    note: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    links: tuple[str, ...] = ()
    """URL of the last cell of each row, empty for none; no links by default."""

    def link(self, row: int) -> str:
        """Return the URL of the last cell of a row; empty for none."""
        return self.links[row] if self.links else ""


def comparison_sections(comparison: pd.DataFrame) -> list[Section]:
    """Return one section per data set, split, box source and protocol."""
    return [_comparison_section(rows) for rows in _groups(comparison, _SAME_TABLE)]


def ablation_sections(ablations: pd.DataFrame) -> list[Section]:
    """Return one section per question, data set and box source."""
    return [_ablation_section(rows) for rows in _groups(ablations, _SAME_QUESTION)]


def verdict_section(verdicts: pd.DataFrame) -> Section:
    """Return every published row with its reproduction."""
    return _verdict_section(_rows(verdicts), verdicts)


def reproduction_sections(verdicts: pd.DataFrame) -> list[Section]:
    """Return the published rows that variants of the study reproduce; empty if there are none."""
    rows = [row for row in _rows(verdicts) if row["variant"]]
    return [_verdict_section(rows, verdicts)] if rows else []


def box_sections(boxes: pd.DataFrame) -> list[Section]:
    """Return the sources of the person boxes; empty if none is known."""
    return [_box_section(_rows(boxes))] if len(boxes) else []


def _comparison_section(rows: list[Row]) -> Section:
    first = rows[0]
    cells = [_comparison_cells(row) for row in rows]
    note = [first["box_source"], first["protocol"], *_counts([row for row in rows if row["status"] != NOT_RUN])]
    left_out = []
    for column in ("Input", "Initialisation", "Seeds"):
        # A value shared by all rows goes into the note instead of a column.
        values = {cell[column] for cell in cells} - {DASH}
        if len(values) == 1:
            left_out.append(column)
            note.append(f"{column.lower()} {values.pop()}")
    if not any(row["comparable"] for row in rows):
        left_out.append("Result")
        reasons = dict.fromkeys(row["verdict"].removeprefix("not comparable: ") for row in rows)
        note.append(f"published {DASH}: {', '.join(reasons)}")
    if not any(cell["Notes"] for cell in cells):
        left_out.append("Notes")
    if any(cell[column] != DASH for cell in cells for column in _CROWDING):
        note.append("easy, medium and hard are AP on images of low, medium and high crowd index")
    else:
        left_out.extend(_CROWDING)
    if first["metric"] == "PCKh50":
        note.append("PCKh at 0.5, exactly 0.1, and 0.11, where the published values 'at 0.1' are measured")
    boxes = first["boxes"].replace("_", " ")
    return _section(f"{first['dataset']}, {first['split']}, {boxes} boxes", "; ".join(note), cells, left_out)


def _comparison_cells(row: Row) -> dict[str, str]:
    run = row["status"] != NOT_RUN
    complete = row["seeds"] == row["seeds_planned"]
    metric = row["metric"]
    return {
        "Model": row["model"],
        metric: _with_spread(row[metric], row[f"{metric}_std"]) if run else NOT_RUN,
        "95 % interval": interval_words(row[f"{metric}_low"], row[f"{metric}_high"]),
        "Published": _published(row[f"published_{metric}"], row["published_confirmed"]),
        "Difference": with_sign(row["difference"]),
        "Result": row["verdict"] if row["comparable"] else DASH,
        **_further_figures(row),
        **{column: number(row.get(key, math.nan)) for column, key in _CROWDING.items()},
        "Params (M)": number(row["params_m"], 2),
        "GMACs": number(row["gmacs"], 2),
        "as printed*": number(row["gmacs_as_published"], 2),
        "Seeds": str(row["seeds"]) if complete else f"{row['seeds']}/{row['seeds_planned']}",
        "Input": row["input"] or DASH,
        "Initialisation": row["initialisation"] or DASH,
        "Notes": row["notes"],
    }


def _further_figures(row: Row) -> dict[str, str]:
    if row["metric"] == "PCKh50":
        return {
            "PCKh10": number(row["PCKh10"]),
            "PCKh11": number(row["PCKh11"]),
            "Published PCKh11": _published(row["published_PCKh11"], row["published_PCKh11_confirmed"]),
        }
    return {name: number(row[name]) for name in ("AP50", "AP75", "AR")}


def _ablation_section(rows: list[Row]) -> Section:
    first = rows[0]
    cells = [
        {
            "Variant": row["variant"],
            "Baseline": row["baseline"],
            f"Difference in {row['metric']}": NOT_RUN if row["answer"] == NOT_RUN else with_sign(row["difference"]),
            "95 % interval": interval_words(row["low"], row["high"], signed=True),
            "Answer": row["answer"],
            **_parts_of_interval(row),
            "Needed": _needed_words(row["seeds_needed"], row["images_needed"]),
            "Seeds": str(row["seeds"]),
        }
        for row in rows
    ]
    note = [f"{first['dataset']}, {first['split']}", first["box_source"], *_counts(rows)]
    note.append(ANSWERS)
    if "sign_flip_p" in first:
        note.append(
            "± images, ± trainings: half the interval from each alone, their squares add up; p: sign-flip test over the"
            " pairs of trainings, on these images, at least 2 / 2^seeds"
        )
    return _section(first["question"], "; ".join(note), cells)


def _parts_of_interval(row: Row) -> dict[str, str]:
    """Return the cells of a difference over several seeds; none if no difference in the table is."""
    if "sign_flip_p" not in row:
        return {}
    return {
        "± images": number(row["half_width_images"]),
        "± trainings": number(row["half_width_trainings"]),
        "p": number(row["sign_flip_p"], 3),
    }


def _verdict_section(rows: list[Row], verdicts: pd.DataFrame) -> Section:
    cells = [
        {
            "Model": row["model"],
            "Benchmark": row["benchmark"],
            "Boxes": row["boxes"],
            "Input": row["input"],
            "Metric": row["metric"],
            "Published": _published(row["published"], row["confirmed"]),
            "Measured": row["verdict"] if row["verdict"] in (NOT_RUN, PUBLISHED_ONLY) else number(row["measured"]),
            "Difference": with_sign(row["difference"]),
            "Result": row["verdict"],
            "Source": row["source"],
        }
        for row in rows
    ]
    not_run, published_only = ((verdicts["verdict"] == result).sum() for result in (NOT_RUN, PUBLISHED_ONLY))
    note = (
        f"{len(verdicts)} published rows; {not_run} not run; {published_only} of other models, published only."
        f" Tolerance ±{rows[0]['tolerance']:g} points. ? marks values recalled from the paper and not confirmed."
    )
    return _section("Reproduction of the published results", note, cells)


def _box_section(rows: list[Row]) -> Section:
    cells = [
        {
            "Data set": f"{row['dataset']}, {row['split']}",
            "Boxes": row["boxes"],
            "Source": row["box_source"],
            "Count": f"{row['count']:,}",
            "Dropped": f"{row['dropped']:,}",
            "Reasons": row["reasons"] or DASH,
            "Images without": f"{row['images_without_boxes']:,}",
            "Box AP": number(row["box_AP"]),
        }
        for row in rows
    ]
    note = "Box AP is the COCO AP of the boxes as detections, over all annotated persons; annotated boxes have none"
    return _section("Person boxes", note, cells)


def _section(title: str, note: str, cells: list[dict[str, str]], left_out: list[str] | None = None) -> Section:
    columns = tuple(column for column in cells[0] if column not in (left_out or []))
    return Section(title, note, columns, tuple(tuple(cell[column] for column in columns) for cell in cells))


def _rows(table: pd.DataFrame) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict(orient="records")]


def _groups(table: pd.DataFrame, keys: tuple[str, ...]) -> list[list[Row]]:
    """Group rows with equal keys; groups and rows stay in order of appearance."""
    rows = _rows(table)
    order = {value: index for index, value in enumerate(dict.fromkeys(tuple(row[key] for key in keys) for row in rows))}

    def group_index(row: Row) -> int:
        return order[tuple(row[key] for key in keys)]

    return [list(group) for _, group in groupby(sorted(rows, key=group_index), group_index)]


def _counts(rows: list[Row]) -> list[str]:
    pairs = sorted({(int(row["images"]), int(row["persons"])) for row in rows})
    if len(pairs) > 1:
        raise ValueError(f"rows of one table have different images or persons: {pairs}")
    return [count_words(images, persons) for images, persons in pairs]


def number(value: float, digits: int = 1) -> str:
    """Format a number with fixed digits; a dash for NaN."""
    return DASH if math.isnan(value) else f"{value:.{digits}f}"


def with_sign(value: float) -> str:
    """Format a difference in points with its sign; a dash for NaN."""
    if math.isnan(value):
        return DASH
    # A difference that rounds to zero has no sign.
    return f"{value:+.1f}".replace("-", "−") if round(value, 1) else "0.0"


def interval_words(low: float, high: float, signed: bool = False) -> str:
    """Return `[10.1, 14.5]`; a dash for NaN."""
    if math.isnan(low) or math.isnan(high):
        return DASH
    show = with_sign if signed else number
    return f"[{show(low)}, {show(high)}]"


def _with_spread(mean: float, deviation: float) -> str:
    if math.isnan(mean):
        return "n/a"
    return number(mean) if math.isnan(deviation) else f"{mean:.1f} ± {deviation:.1f}"


def _needed_words(seeds: object, images: object) -> str:
    counts = {"seeds": seeds, "images": images}
    return " or ".join(f"{count:,} {name}" for name, count in counts.items() if isinstance(count, int)) or DASH


def _published(value: float, confirmed: object) -> str:
    return DASH if math.isnan(value) else f"{value:.1f}{'' if confirmed is True else '?'}"
