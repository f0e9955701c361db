"""Sections of tables as Markdown, HTML, LaTeX and terminal text. Names come from data, so every format escapes them."""

import html
import textwrap
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from transpose.files import atomic_paths, write_text
from transpose.reporting.page_parts import page_environment, shared_style
from transpose.reporting.sections import Section
from transpose.study.layout import TABLE_SUFFIXES

TERMINAL_WIDTH = 120

_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "×": r"$\times$",
}


def write_all_formats(
    path: Path, title: str, table: pd.DataFrame, sections: list[Section], footnotes: list[str]
) -> None:
    """Write `path` in every format of `TABLE_SUFFIXES`: all of them or none."""
    with atomic_paths(*map(path.with_suffix, TABLE_SUFFIXES)) as (csv, markdown, html, tex):
        write_csv(csv, table)
        write_markdown(markdown, title, sections)
        write_html(html, title, sections, footnotes)
        write_tex(tex, sections)


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write unrounded numbers; missing values are empty cells."""
    write_text(path, table.to_csv(index=False, lineterminator="\n"))


def write_markdown(path: Path, title: str, sections: list[Section]) -> None:
    """Write the sections as Markdown pipe tables."""
    parts = [f"# {_markdown(title)}"]
    for section in sections:
        parts.append(f"## {_markdown(section.title)}")
        parts.append(_markdown(section.note))
        parts.append(_pipe_table(section))
    write_text(path, "\n\n".join(parts) + "\n")


def write_html(path: Path, title: str, sections: list[Section], footnotes: list[str]) -> None:
    """Write the sections as one self-contained HTML page."""
    template = page_environment().get_template("reporting/templates/tables.html")
    write_text(path, template.render(title=title, style=shared_style(), sections=sections, footnotes=footnotes))


def write_tex(path: Path, sections: list[Section]) -> None:
    """Write the sections as LaTeX tables that need the booktabs package."""
    write_text(path, "\n".join(_tex_table(section) for section in sections))


def render_terminal(sections: list[Section]) -> str:
    """Return the sections as text of `TERMINAL_WIDTH` columns; long cells are cut, extra columns follow below."""
    return "\n\n".join(_terminal_section(section) for section in sections)


def _pipe_table(section: Section) -> str:
    lines = [[_markdown(cell) for cell in line] for line in section.rows]
    for number, line in enumerate(lines):
        if url := section.link(number):
            line[-1] = f"[{line[-1]}]({url})"
    lines = [[_markdown(column) for column in section.columns], ["---"] * len(section.columns), *lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _markdown(text: str) -> str:
    escaped = html.escape(" ".join(text.split()), quote=False)
    for character in ("\\", "|", "`", "*", "_", "[", "]"):
        escaped = escaped.replace(character, f"\\{character}")
    return escaped


def _tex_table(section: Section) -> str:
    head, *body = [" & ".join(_tex(cell) for cell in line) + r" \\" for line in (section.columns, *section.rows)]
    lines = [
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{\\textbf{{{_tex(section.title)}}} {_tex(section.note)}.}}",
        f"  \\begin{{tabular}}{{l{'r' * (len(section.columns) - 1)}}}",
        r"    \toprule",
        f"    {head}",
        r"    \midrule",
        *(f"    {line}" for line in body),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _tex(text: str) -> str:
    return "".join(_TEX.get(character, character) for character in " ".join(text.split()))


def _terminal_section(section: Section) -> str:
    title, note = _plain(section.title), textwrap.wrap(_plain(section.note), TERMINAL_WIDTH)
    body = "\n\n".join(_blocks(section))
    return "\n".join((title, "=" * min(len(title), TERMINAL_WIDTH), *note, "", body))


def _blocks(section: Section) -> Iterator[str]:
    """Split the table into blocks of columns that fit; every block starts with the first column."""
    longest = TERMINAL_WIDTH // 3
    lines = [[_plain(cell) for cell in line] for line in (section.columns, *section.rows)]
    first, *others = (
        [cell if len(cell) <= longest else cell[: longest - 1] + "…" for cell in column]
        for column in zip(*lines, strict=True)
    )
    block = [first]
    for column in others:
        if _width([*block, column]) > TERMINAL_WIDTH and len(block) > 1:
            yield _block(block)
            block = [first]
        block.append(column)
    yield _block(block)


def _width(columns: list[list[str]]) -> int:
    return sum(max(map(len, column)) + 2 for column in columns) - 2


def _block(columns: list[list[str]]) -> str:
    rules = ["-" * max(map(len, column)) for column in columns]
    heads, *rows = zip(*columns, strict=True)
    alignment = ("left", *["right"] * (len(columns) - 1))
    text = tabulate([heads, rules, *rows], tablefmt="plain", colalign=alignment, disable_numparse=True)
    return "\n".join(line.rstrip() for line in text.splitlines())


def _plain(text: str) -> str:
    """Return one line without control characters, which a terminal would interpret."""
    return "".join(c if unicodedata.category(c)[0] != "C" else " " for c in " ".join(text.split()))
