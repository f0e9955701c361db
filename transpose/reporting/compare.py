"""The comparison's files: tables in four formats, written from records of results."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from transpose.reporting.layout import (
    ablation_sections,
    comparison_sections,
    reproduction_sections,
    verdict_section,
)
from transpose.reporting.published import Published
from transpose.reporting.records import AblationRecord, ResultRow
from transpose.reporting.tables import TOLERANCE, ablation_table, comparison_table, verdict_table
from transpose.reporting.writers import render_terminal, write_all_formats

FOOTNOTES = [
    "AP and AR in per cent. ± is the standard deviation over seeds; the 95 % interval is a bootstrap over pictures"
    " (averaged over seeds) and does not hold the spread of trainings.",
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


def compare(
    rows: list[ResultRow], ablations: list[AblationRecord], published: Published, tolerance: float = TOLERANCE
) -> Comparison:
    """Put measured results beside published ones, and answer the ablations' questions."""
    return Comparison(
        comparison_table(rows, published, tolerance),
        verdict_table(rows, published, tolerance),
        ablation_table(ablations),
    )


def write_comparison(folder: Path, study: str, comparison: Comparison) -> None:
    """Write `comparison`, `verdicts` and `ablations`, each as .csv, .md, .html and .tex, atomically."""
    tables = {
        "comparison": (comparison.results, comparison_sections(comparison.results), "Comparison"),
        "verdicts": (comparison.verdicts, [verdict_section(comparison.verdicts)], "Published figures"),
        "ablations": (comparison.ablations, ablation_sections(comparison.ablations), "Ablations"),
    }
    for name, (table, sections, title) in tables.items():
        write_all_formats(folder / name, f"{title}: {study}", table, sections, FOOTNOTES)


def summarise(comparison: Comparison, width: int) -> str:
    """What a terminal shows: comparison, ablations, and verdicts on rows that the study set out to reproduce."""
    sections = [*comparison_sections(comparison.results), *ablation_sections(comparison.ablations)]
    return render_terminal([*sections, *reproduction_sections(comparison.verdicts)], width)
