"""Shared by the tables of all analyses: the reports of a study's models by evaluation setting, and the files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pandas as pd

from transpose.config.load import read_record
from transpose.config.study import Analysis, AnalysisScope, EvalSetting, Study
from transpose.errors import InputError
from transpose.evaluation.intervals import RESAMPLES, estimates_in, with_draws
from transpose.evaluation.subject import Subject
from transpose.files import read_npz
from transpose.reporting.export import write_all_formats
from transpose.reporting.sections import Section
from transpose.reporting.study_files import StudyFiles

Report = TypeVar("Report", bound=Subject)

_SHARED = {"annotations_sha256": "annotations", "boxes_sha256": "boxes", "protocol": "protocol"}
"""Fields that must be equal in all reports of a table, with their names in messages."""


@dataclass
class AnalysisTable:
    """Rows and sections of the table of one analysis."""

    title: str
    footnotes: list[str]
    rows: list[dict[str, object]] = field(default_factory=list)
    """Rows of the CSV file: unrounded numbers."""
    sections: list[Section] = field(default_factory=list)
    """Sections of the Markdown, HTML and LaTeX files: rounded text."""

    def write(self, files: StudyFiles, analysis: Analysis) -> None:
        """Write the table in all formats into the study's results folder."""
        # As objects, so that whole numbers such as layers stay integers in columns with empty cells.
        frame = pd.DataFrame(self.rows, dtype=object)
        path, title = files.layout.table(analysis), f"{self.title}: {files.study.name}"
        write_all_formats(path, title, frame, self.sections, self.footnotes)


def chosen_analysis(study: Study, analysis: Analysis) -> AnalysisScope:
    """Return the variants and settings of an analysis.

    Raises:
        InputError: the study does not include it.
    """
    chosen = study.analyses().get(analysis)
    if chosen is None:
        raise InputError("the study does not include this analysis", file=study.name, field=analysis)
    return chosen


def reports_by_setting(
    files: StudyFiles, analysis: Analysis, model: type[Report]
) -> Iterator[tuple[EvalSetting, list[list[Report]]]]:
    """Yield each evaluation setting with the reports of each variant, one per seed.

    Raises:
        InputError: the study does not include the analysis, a report is missing or broken, or reports differ in
            annotations, boxes or protocol.
    """
    chosen = chosen_analysis(files.study, analysis)
    for setting in chosen.settings():
        models = [
            _reports(model, [files.layout.analysis(analysis, run, setting) for run in files.runs(variant)])
            for variant in chosen.variants
        ]
        named = [(f"{report.variant} seed {report.seed}", report) for reports in models for report in reports]
        check_same_inputs(analysis, named)
        yield setting, models


def _reports(model: type[Report], paths: Sequence[Path]) -> list[Report]:
    """Read reports of several trainings of a variant, with the resamples that their common intervals need."""
    reports = [read_record(model, path) for path in paths]
    if len(reports) == 1 or next(estimates_in(reports[0]), None) is None:
        return reports
    return [_with_resamples(report, path.with_suffix(".npz")) for report, path in zip(reports, paths, strict=True)]


def _with_resamples(report: Report, path: Path) -> Report:
    resamples = read_npz(path, [RESAMPLES], "resamples of a report")[RESAMPLES]
    try:
        return with_draws(report, resamples)
    except ValueError as error:
        raise InputError(f"not of its report: {error}", file=path, field=RESAMPLES) from None


def check_same_inputs(table: str, named: Sequence[tuple[str, Subject]]) -> None:
    """Check that all reports of a table have the same annotations, boxes and protocol.

    Args:
        named: each report with its name in messages.

    Raises:
        InputError: a report differs from the first.
    """
    _, first = named[0]
    for name, subject in named:
        for key, words in _SHARED.items():
            # A protocol ablation has no protocol of its own.
            if getattr(subject, key, None) != getattr(first, key, None):
                problem = f"not the {words} of {first.variant}, seed {first.seed}; run its rule again"
                raise InputError(problem, file=table, record=name, field=key)
