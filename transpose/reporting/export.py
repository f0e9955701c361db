"""Sections of tables as Markdown, HTML, LaTeX and terminal text. Names come from data, so every format escapes them."""

import html
import textwrap
import unicodedata
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from transpose.files import atomic_paths, write_text
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
    environment = Environment(
        loader=PackageLoader("transpose.reporting", "."), autoescape=True, undefined=StrictUndefined
    )
    tables = [
        {
            "title": section.title,
            "note": section.note,
            "columns": section.columns,
            "rows": section.rows,
        }
        for section in sections
    ]
    write_text(
        path,
        environment.get_template("templates/tables.html").render(title=title, sections=tables, footnotes=footnotes),
    )


def write_tex(path: Path, sections: list[Section]) -> None:
    """Write the sections as LaTeX tables that need the booktabs package."""
    write_text(path, "\n".join(_tex_table(section) for section in sections))


def render_terminal(sections: list[Section], width: int = TERMINAL_WIDTH) -> str:
    """Return the sections as text of at most `width` columns; long cells are cut, extra columns follow below."""
    return "\n\n".join(_terminal_section(section, width) for section in sections)


def _pipe_table(section: Section) -> str:
    lines = [[_markdown(cell) for cell in line] for line in (section.columns, *section.rows)]
    lines.insert(1, ["---"] * len(section.columns))
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


def _terminal_section(section: Section, width: int) -> str:
    title, note = _plain(section.title), _plain(section.note)
    blocks = _blocks(section, width)
    body = "\n\n".join("\n".join(line.rstrip()[:width] for line in block) for block in blocks)
    return "\n".join((title, "=" * min(len(title), width), *_wrapped(note, width), "", body))


def _blocks(section: Section, width: int) -> list[list[str]]:
    """Split the table into blocks of columns that fit; every block starts with the first column."""
    cells = [[_plain(cell) for cell in line] for line in (section.columns, *section.rows)]
    longest = max(12, width // 3)
    cells = [[cell if len(cell) <= longest else cell[: longest - 1] + "…" for cell in line] for line in cells]
    widths = [max(len(line[i]) for line in cells) for i in range(len(section.columns))]
    groups: list[list[int]] = [[]]
    used = widths[0]
    for column in range(1, len(widths)):
        if used + 2 + widths[column] > width and groups[-1]:
            groups.append([])
            used = widths[0]
        groups[-1].append(column)
        used += 2 + widths[column]
    return [[_terminal_line(line, widths, group) for line in _ruled(cells, widths)] for group in groups]


def _ruled(cells: list[list[str]], widths: list[int]) -> list[list[str]]:
    return [cells[0], ["-" * width for width in widths], *cells[1:]]


def _terminal_line(line: list[str], widths: list[int], columns: list[int]) -> str:
    return "  ".join([line[0].ljust(widths[0]), *(line[column].rjust(widths[column]) for column in columns)])


def _plain(text: str) -> str:
    """Return one line without control characters, which a terminal would interpret."""
    return "".join(c if unicodedata.category(c)[0] != "C" else " " for c in " ".join(text.split()))


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width)
