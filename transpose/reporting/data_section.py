"""The section of the comparison with the checks of the study's splits."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from transpose.config.load import read_record
from transpose.data.split_check import SplitCheck
from transpose.reporting.check_text import counts_text
from transpose.reporting.sections import DASH, Section
from transpose.reporting.study_files import StudyFiles
from transpose.study.check_files import CheckFiles
from transpose.study.layout import ResourcesLayout

_COLUMNS = ("Data set", "Used for", "Images", "Persons", "Derived", "Left out", "Warnings", "Report")
_NOTE = (
    "Persons have a labelled keypoint. Left out are annotations that are not used. Only images of data sets in folders"
    " were read. Reports are in the resources folder"
)


@dataclass(frozen=True)
class SplitRow:
    """A split that the study reads."""

    title: str
    """Data set and split."""
    uses: tuple[str, ...]
    check: SplitCheck | None
    """None if the split was not checked."""
    report: str
    """File of the check, relative to the resources folder."""
    link: str
    """URL of the file, relative to the results folder."""


def split_rows(files: StudyFiles) -> list[SplitRow]:
    """Return the splits that the study reads, with their checks.

    Raises:
        InputError: a check is broken.
    """
    resources = Path(files.study.resources)
    checks = CheckFiles(files.study, files.recipes, files.datasets, ResourcesLayout(resources))
    rows = []
    for (dataset, split), uses in checks.uses().items():
        path = checks.report(dataset, split)
        rows.append(
            SplitRow(
                title=f"{files.datasets[dataset].title}, {split}",
                uses=tuple(uses),
                check=read_record(SplitCheck, path) if path.is_file() else None,
                report=path.relative_to(resources).as_posix(),
                link=quote(Path(os.path.relpath(path, files.layout.root)).as_posix()),
            )
        )
    return rows


def data_sections(rows: Sequence[SplitRow]) -> list[Section]:
    """Return what was found in the splits; empty if there are none."""
    if not rows:
        return []
    links = tuple(row.link if row.check is not None else "" for row in rows)
    return [Section("Data", _NOTE, _COLUMNS, tuple(map(_cells, rows)), links)]


def _cells(row: SplitRow) -> tuple[str, ...]:
    check, uses = row.check, ", ".join(row.uses)
    if check is None:
        return row.title, uses, *[DASH] * 5, "not checked"
    warnings: Counter[str] = Counter()
    for warning in check.warnings:
        warnings[warning.kind] += warning.count
    counts = (counts_text(found) or DASH for found in (check.derived, check.left_out, warnings))
    return row.title, uses, f"{check.images:,}", f"{check.persons:,}", *counts, row.report
