"""The comparison's files: tables in four formats, written from records of results."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from transpose.config.study import StudyTable
from transpose.reporting.box_table import BoxRow, box_table
from transpose.reporting.export import render_terminal, write_all_formats, write_csv
from transpose.reporting.published import Published
from transpose.reporting.records import AblationRecord, ResultRow
from transpose.reporting.sections import (
    ablation_sections,
    box_sections,
    comparison_sections,
    reproduction_sections,
    verdict_section,
)
from transpose.reporting.tables import TOLERANCE, ablation_table, comparison_table, verdict_table
from transpose.study.layout import ResultsLayout

FOOTNOTES = [
    "AP, AR and PCKh in per cent. ± is the standard deviation over seeds; the 95 % interval is a bootstrap over"
    " images (averaged over seeds) and does not hold the spread of trainings.",
    "Params count a fixed position embedding, as the paper does. GMACs are multiply-accumulates of one crop, forward;"
    " * 'as printed' follows the tool behind the paper's GFLOPs, which counts a deconvolution on its output grid and"
    " adds elementwise work.",
    "A dash stands where there is nothing that may be compared or measured. ? marks published figures that are recalled"
    " and not confirmed.",
]


@dataclass(frozen=True)
class Comparison:
    """All tables of a study."""

    results: pd.DataFrame
    verdicts: pd.DataFrame
    ablations: pd.DataFrame
    boxes: pd.DataFrame


def compare(
    rows: list[ResultRow],
    ablations: list[AblationRecord],
    published: Published,
    boxes: Sequence[BoxRow] = (),
    tolerance: float = TOLERANCE,
) -> Comparison:
    """Put measured results beside published ones, answer the ablations' questions, tell where the boxes came from."""
    return Comparison(
        comparison_table(rows, published, tolerance),
        verdict_table(rows, published, tolerance),
        ablation_table(ablations),
        box_table(boxes),
    )


def write_comparison(layout: ResultsLayout, study: str, comparison: Comparison) -> None:
    """Write `comparison`, `verdicts` and `ablations`, each as .csv, .md, .html and .tex, atomically.

    The boxes stand at the end of the comparison, and as numbers in `person_boxes.csv`.
    """
    results = [*comparison_sections(comparison.results), *box_sections(comparison.boxes)]
    tables = {
        StudyTable.COMPARISON: (comparison.results, results, "Comparison"),
        StudyTable.VERDICTS: (comparison.verdicts, [verdict_section(comparison.verdicts)], "Published figures"),
        StudyTable.ABLATIONS: (comparison.ablations, ablation_sections(comparison.ablations), "Ablations"),
    }
    for name, (table, sections, title) in tables.items():
        write_all_formats(layout.table(name), f"{title}: {study}", table, sections, FOOTNOTES)
    write_csv(layout.table(StudyTable.PERSON_BOXES).with_suffix(".csv"), comparison.boxes)


def summarise(comparison: Comparison, width: int) -> str:
    """What a terminal shows: comparison, ablations, verdicts on rows that the study set out to reproduce, and boxes."""
    sections = [*comparison_sections(comparison.results), *ablation_sections(comparison.ablations)]
    ends = [*reproduction_sections(comparison.verdicts), *box_sections(comparison.boxes)]
    return render_terminal([*sections, *ends], width)
