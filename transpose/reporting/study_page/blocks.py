"""Blocks of a page. Texts are plain, since names come from data; the template escapes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from transpose.reporting.study_page.axis import Axis, Interval


@dataclass(frozen=True)
class Link:
    """A link, relative to the page."""

    text: str
    url: str


@dataclass(frozen=True)
class Cell:
    """A cell of a table."""

    text: str
    sort: float | None = None
    """Number by which the column is sorted; None sorts by text."""
    url: str = ""
    interval: Interval | None = None
    """Drawn before the text."""
    result: str = ""
    """CSS class of a result: yes, no, maybe or open."""
    more: Sequence[str] = ()
    """Further lines in small print."""


@dataclass(frozen=True)
class Group:
    """Rows that share an axis."""

    rows: Sequence[Sequence[Cell]]
    axis: Axis | None = None
    heading: str = ""


@dataclass(frozen=True)
class Table:
    """A table; the most important columns come first."""

    kind: ClassVar = "table"
    columns: Sequence[str]
    groups: Sequence[Group]
    note: str = ""
    drawn: int | None = None
    """Index of the column with drawn intervals."""

    @property
    def kinds(self) -> list[str]:
        """CSS class of each column: drawn intervals, numbers or words."""
        rows = [row for group in self.groups for row in group.rows]
        numeric = [any(row[column].sort is not None for row in rows) for column in range(len(self.columns))]
        return [
            "drawn" if column == self.drawn else "number" if numeric[column] else "word"
            for column in range(len(numeric))
        ]


@dataclass(frozen=True)
class Figure:
    """An image file with a caption."""

    kind: ClassVar = "figure"
    url: str
    caption: str
    files: Sequence[Link] = ()
    """Other formats."""
    chart: bool = True
    """Whether it is a line drawing, whose brightness is inverted in the dark."""


@dataclass(frozen=True)
class Gallery:
    """Figures next to each other."""

    kind: ClassVar = "gallery"
    figures: Sequence[Figure]


@dataclass(frozen=True)
class Paragraph:
    """Text, and links behind it."""

    kind: ClassVar = "paragraph"
    text: str
    links: Sequence[Link] = ()
    result: str = ""
    """CSS class of a result, as of `Cell`."""


@dataclass(frozen=True)
class Lines:
    """Text of several lines, with its line breaks."""

    kind: ClassVar = "lines"
    text: str


@dataclass(frozen=True)
class Part:
    """A heading with blocks; parts of parts have smaller headings."""

    kind: ClassVar = "part"
    title: str
    blocks: "Sequence[Block]"
    name: str = ""
    """Anchor; empty for none."""


@dataclass(frozen=True)
class Folded:
    """Blocks that are shown on request, and in print."""

    kind: ClassVar = "folded"
    title: str
    blocks: "Sequence[Block]"


Block = Table | Figure | Gallery | Paragraph | Lines | Part | Folded


@dataclass(frozen=True)
class Page:
    """One HTML file of the report."""

    file: str
    title: str
    introduction: str
    parts: Sequence[Part]
