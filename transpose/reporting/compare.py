"""Write the tables of the comparison in four formats from records of results."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from transpose.config.study import StudyTable
from transpose.reporting.ablation_table import ablation_table
from transpose.reporting.data_section import SplitRow, data_sections
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
from transpose.reporting.tables import (
    BoxRow,
    box_table,
    comparison_table,
    verdict_table,
)
from transpose.study.layout import ResultsLayout

FOOTNOTES = [
    "AP, AR and PCKh in per cent. ± is the standard deviation over seeds. The 95 % interval is of the mean over seeds"
    " and includes the variation of images and trainings; with one seed, of images only.",
    "Needed: seeds on these images, or images like these with these seeds, that would make a true difference of the"
    " measured size clear with a probability of 80 %. With one seed the number of images is for this training, and the"
    " number of seeds cannot be computed.",
    "Params include a fixed position embedding, as in the paper. GMACs are multiply-accumulates of one forward pass of"
    " one crop. * 'as printed' is counted like the paper's GFLOPs, whose tool counts a deconvolution on its output grid"
    " and adds elementwise operations.",
    "A dash means not measured or not comparable. ? marks published values that were recalled and not confirmed.",
]


@dataclass(frozen=True)
class Comparison:
    """All tables of a study."""

    results: pd.DataFrame
    verdicts: pd.DataFrame
    ablations: pd.DataFrame
    boxes: pd.DataFrame
    data: Sequence[SplitRow]


def compare(
    rows: list[ResultRow],
    ablations: list[AblationRecord],
    published: Published,
    boxes: Sequence[BoxRow] = (),
    data: Sequence[SplitRow] = (),
    external: Sequence[Mapping[str, object]] = (),
) -> Comparison:
    """Build the tables: measured and published results, published rows, ablations, person boxes and data."""
    return Comparison(
        comparison_table(rows, published, external),
        verdict_table(rows, published),
        ablation_table(ablations),
        box_table(boxes),
        data,
    )


def write_comparison(layout: ResultsLayout, study: str, comparison: Comparison) -> None:
    """Write `comparison`, `verdicts` and `ablations`, each as .csv, .md, .html and .tex, atomically.

    The person boxes and the data are at the end of the comparison; the boxes are also in `person_boxes.csv`.
    """
    results = [
        *comparison_sections(comparison.results),
        *box_sections(comparison.boxes),
        *data_sections(comparison.data),
    ]
    tables = {
        StudyTable.COMPARISON: (comparison.results, results, "Comparison"),
        StudyTable.VERDICTS: (comparison.verdicts, [verdict_section(comparison.verdicts)], "Published figures"),
        StudyTable.ABLATIONS: (comparison.ablations, ablation_sections(comparison.ablations), "Ablations"),
    }
    for name, (table, sections, title) in tables.items():
        write_all_formats(layout.table(name), f"{title}: {study}", table, sections, FOOTNOTES)
    write_csv(layout.table(StudyTable.PERSON_BOXES).with_suffix(".csv"), comparison.boxes)


def summarise(comparison: Comparison) -> str:
    """Return terminal text: comparison, ablations, reproduced published rows, person boxes and data."""
    sections = [*comparison_sections(comparison.results), *ablation_sections(comparison.ablations)]
    inputs = [*box_sections(comparison.boxes), *data_sections(comparison.data)]
    return render_terminal([*sections, *reproduction_sections(comparison.verdicts), *inputs])
