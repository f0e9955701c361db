"""Cells of numbers, and rows of the study's CSV tables."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from transpose.reporting.sections import DASH
from transpose.reporting.study_page.axis import Interval
from transpose.reporting.study_page.blocks import Cell

_ANSWERS = {"clear": "yes", "differs, one training": "maybe", "undecided": "open"}
"""CSS class of each of `answer_words`."""

Row = Mapping[str, str]
"""A row of a CSV file; missing values are empty."""


def read_rows(table: Path) -> list[Row]:
    """Return the rows of a table's CSV file; none if the study does not have the table.

    Args:
        table: path without a suffix.
    """
    path = table.with_suffix(".csv")
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def groups_of(rows: Sequence[Row], columns: Sequence[str]) -> Iterator[tuple[Row, list[Row]]]:
    """Yield the rows with equal columns, with the first of them; in order of appearance."""
    order: dict[tuple[str, ...], int] = {}

    def position(row: Row) -> int:
        return order.setdefault(tuple(row[column] for column in columns), len(order))

    for row in rows:
        position(row)
    for _, group in groupby(sorted(rows, key=position), position):
        found = list(group)
        yield found[0], found


def number_of(row: Row, column: str) -> float | None:
    """Return a number of a row; None if it is missing."""
    text = row.get(column, "")
    return float(text) if text else None


def interval_of(row: Row, value: str, low: str, high: str) -> Interval | None:
    """Return a value with its interval; None if there is no value."""
    number = number_of(row, value)
    return None if number is None else Interval(number, number_of(row, low), number_of(row, high))


def number_cell(number: float | None, digits: int = 1, signed: bool = False, url: str = "") -> Cell:
    """Return a cell with a number, or a dash."""
    return Cell(DASH) if number is None else Cell(number_text(number, digits, signed), number, url)


def interval_cell(interval: Interval | None, digits: int = 1, signed: bool = False) -> Cell:
    """Return a cell with the drawn interval and its ends."""
    if interval is None:
        return Cell(DASH)
    return Cell(ends_text(interval, digits, signed), interval.value, interval=interval)


def answer_cell(answer: str) -> Cell:
    """Return a cell that says whether a difference is clear."""
    return Cell(answer, result=_ANSWERS.get(answer, ""))


def ends_text(interval: Interval, digits: int = 1, signed: bool = False) -> str:
    """Return `[10.1, 14.5]`; a dash without ends."""
    if interval.low is None or interval.high is None:
        return DASH
    return f"[{number_text(interval.low, digits, signed)}, {number_text(interval.high, digits, signed)}]"


def number_text(number: float, digits: int, signed: bool = False) -> str:
    """Format a number; a number that rounds to zero has no sign."""
    rounded = round(number, digits) or 0.0
    return f"{'+' if signed and rounded > 0 else ''}{rounded:,.{digits}f}".replace("-", "−")


def count_cell(text: str) -> Cell:
    """Return a cell with a count, as in the CSV file."""
    return Cell(f"{int(float(text)):,}", float(text)) if text else Cell(DASH)


def text_cell(text: str, url: str = "") -> Cell:
    """Return a cell with text, or a dash."""
    return Cell(text or DASH, url=url)
