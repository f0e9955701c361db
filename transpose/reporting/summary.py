"""Terminal summary at the end of a run."""

from pathlib import Path

from transpose.config.study import StudyTable
from transpose.errors import InputError
from transpose.study.layout import ResultsLayout, RunId

COMPARED = (StudyTable.COMPARISON, StudyTable.ABLATIONS, StudyTable.VERDICTS)
"""Tables listed in the summary."""


def render_summary(results: Path) -> str:
    """Return the comparison of a results folder as text, with the paths of report, figures and MLflow.

    Raises:
        InputError: the folder has no comparison.
    """
    layout = ResultsLayout(results)
    tables = layout.table(StudyTable.COMPARISON).with_suffix(".txt")
    if not tables.is_file():
        raise InputError("no comparison here; run `make demo` or `snakemake --cores all`", file=results)
    report = results / "report.html"
    places = {
        "tables": ", ".join(f"{layout.table(name)}.*" for name in COMPARED),
        "figures": f"{layout.figure('*').parent}/",
        "attention": f"{layout.attention_of_run(RunId('*', '*'))}/, {layout.viewer('*', '*')}",
        "errors": str(layout.error_browser("*", "*")),
        "report": str(report) if report.is_file() else f"run `snakemake --report {report}`",
        "MLflow": "make ui" if results == Path("results") else f"make ui RESULTS={results}",
    }
    width = max(map(len, places))
    return (
        tables.read_text(encoding="utf-8").rstrip()
        + "\n\n"
        + "\n".join(f"{name:<{width}}  {place}" for name, place in places.items())
    )
