"""Shared by the tables of all analyses: the reports of a study's models by evaluation setting, and the files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pandas as pd

from transpose.config.load import read_record
from transpose.config.study import Analysis, AnalysisScope, EvalSetting, Study
from transpose.errors import InputError
from transpose.evaluation.subject import Subject
from transpose.reporting.export import write_all_formats
from transpose.reporting.sections import Section
from transpose.reporting.study_files import StudyFiles
from transpose.study.layout import RunId

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
            [
                read_record(model, files.layout.analysis(analysis, RunId(variant, seed), setting))
                for seed in range(files.study.seeds)
            ]
            for variant in chosen.variants
        ]
        named = [(f"{report.variant} seed {report.seed}", report) for reports in models for report in reports]
        check_same_inputs(analysis, named)
        yield setting, models


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
