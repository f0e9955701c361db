"""Where the pages are, and links from there."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from transpose.config.study import EvalSetting
from transpose.reporting.labels import setting_words
from transpose.reporting.study_files import StudyFiles
from transpose.reporting.study_page.blocks import Figure, Link, Paragraph
from transpose.reporting.study_page.numbers import Row
from transpose.study.layout import RunId


@dataclass(frozen=True)
class Place:
    """A study's files, seen from the folder of its report."""

    files: StudyFiles

    @property
    def folder(self) -> Path:
        """Folder of the report."""
        return self.files.layout.report("index.html").parent

    def url(self, path: Path) -> str:
        """Return the relative URL of a file in the results folder."""
        return quote(Path(os.path.relpath(path, self.folder)).as_posix())

    def link(self, text: str, path: Path) -> Link:
        """Return a link to a file."""
        return Link(text, self.url(path))

    def files_of(self, *tables: str) -> Paragraph:
        """Return links to the formats of tables that exist."""
        paths = [self.files.layout.table(name).with_suffix(suffix) for name in tables for suffix in _FORMATS]
        return Paragraph("Files:", [self.link(path.name, path) for path in paths if path.is_file()])

    def chart(self, path: Path, caption: str) -> Figure:
        """Return a figure of the study, as SVG with a link to the PNG file."""
        drawing = path.with_suffix(".svg")
        return Figure(self.url(drawing), caption, [self.link("SVG", drawing), self.link("PNG", path)])

    def setting_of(self, row: Row) -> EvalSetting | None:
        """Return the evaluation setting of a row of a table; None if it is none of the study's."""
        titles = {
            (self.files.datasets[setting.dataset].title, setting.split, setting.boxes): setting
            for setting in self.files.study.settings()
        }
        return titles.get((row["dataset"], row["split"], row["boxes"]))

    def measured(self, variant: str, setting: EvalSetting) -> str:
        """Return the URL of the file of a measured value, or of the list of files of its trainings."""
        runs: Sequence[RunId] = self.files.runs(variant)
        if len(runs) > 1:
            return f"provenance.html#{anchor(setting)}"
        return self.url(self.files.layout.metrics(runs[0], setting))


_FORMATS = (".csv", ".md", ".tex", ".html")


def anchor(setting: EvalSetting) -> str:
    """Return the anchor of the results on a setting."""
    return "-".join(setting)


def setting_text(row: Row) -> str:
    """Return data set, split and boxes of a row of a table."""
    return setting_words(row["dataset"], row["split"], row["boxes"])
