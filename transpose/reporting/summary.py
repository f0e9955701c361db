"""What a terminal shows at the end of a run."""

from pathlib import Path

from transpose.config.study import StudyTable
from transpose.errors import InputError
from transpose.study.layout import ResultsLayout, RunId

COMPARED = (StudyTable.COMPARISON, StudyTable.ABLATIONS, StudyTable.VERDICTS)
"""Tables that the summary names."""


def render_summary(results: Path) -> str:
    """The comparison of a results folder as text, and where report, figures and MLflow are.

    Raises:
        InputError: the folder holds no comparison.
    """
    layout = ResultsLayout(results)
    tables = layout.table(StudyTable.COMPARISON).with_suffix(".txt")
    if not tables.is_file():
        raise InputError(results, None, None, "no comparison here; `make demo` or `snakemake --cores all` makes one")
    report = results / "report.html"
    places = {
        "tables": ", ".join(f"{layout.table(name)}.*" for name in COMPARED),
        "figures": f"{layout.figure('*').parent}/",
        "attention": f"{layout.attention_of_run(RunId('*', '*'))}/, {layout.viewer('*', '*')}",
        "report": str(report) if report.is_file() else f"snakemake --report {report} makes it",
        "MLflow": "make ui",
    }
    width = max(map(len, places))
    return (
        tables.read_text(encoding="utf-8").rstrip()
        + "\n\n"
        + "\n".join(f"{name:<{width}}  {place}" for name, place in places.items())
    )
