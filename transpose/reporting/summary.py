"""Terminal summary at the end of a run."""

from pathlib import Path

from transpose.config.study import StudyTable
from transpose.errors import InputError
from transpose.files import read_json
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
    in_folder = "make ui" if results == Path("results") else f"make ui RESULTS={results}"
    places = {
        "tables": ", ".join(f"{layout.table(name)}.*" for name in COMPARED),
        "figures": f"{layout.figure('*').parent}/",
        "attention": f"{layout.attention_of_run(RunId('*', '*'))}/, {layout.viewer('*', '*')}",
        "errors": str(layout.error_browser("*", "*")),
        "report": str(report) if report.is_file() else f"run `snakemake --report {report}`",
        "MLflow": _tracking_server(layout) or in_folder,
    }
    width = max(map(len, places))
    return (
        tables.read_text(encoding="utf-8").rstrip()
        + "\n\n"
        + "\n".join(f"{name:<{width}}  {place}" for name, place in places.items())
    )


def _tracking_server(layout: ResultsLayout) -> str | None:
    """Return the address of the MLflow server that the study was logged to; None for the database in the folder."""
    record = layout.tracking_database()
    uri: str = read_json(record)["tracking_uri"] if record.is_file() else ""
    return uri if uri.startswith("http") else None
