"""Terminal summary at the end of a run."""

import socket
from pathlib import Path
from textwrap import fill

from transpose.config.study import StudyTable
from transpose.errors import InputError
from transpose.files import read_json
from transpose.reporting.export import render_terminal
from transpose.reporting.findings import findings, main_table
from transpose.study.layout import ResultsLayout

MOST_FINDINGS = 10

MLFLOW_PORT = 5000
"""The port of `make ui`."""


def render_summary(results: Path, width: int = 80) -> str:
    """Return the main table of a results folder as text, what was found, and where to read more.

    Args:
        width: columns of the terminal.

    Raises:
        InputError: the folder has no comparison.
    """
    layout = ResultsLayout(results)
    if not layout.table(StudyTable.COMPARISON).with_suffix(".csv").is_file():
        raise InputError("no comparison here; run `make demo` or `snakemake --cores all`", file=results)
    found = findings(layout)
    if more := len(found[MOST_FINDINGS:]):
        found = [*found[: MOST_FINDINGS - 1], f"{more + 1} more in {layout.table(StudyTable.COMPARISON)}.txt"]
    places = _places(layout)
    indent = max(map(len, places)) + 2
    return "\n\n".join(
        [
            render_terminal([main_table(layout)]),
            "\n".join(fill(line, width, initial_indent="- ", subsequent_indent="  ") for line in found),
            "\n".join(f"{name:<{indent}}" + f"\n{'':{indent}}".join(lines) for name, lines in places.items()),
        ]
    )


def free_port(first: int = MLFLOW_PORT) -> int:
    """Return the first port of this machine from `first` on that no program listens on."""
    for port in range(first, first + 100):
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    return first


def _places(layout: ResultsLayout) -> dict[str, list[str]]:
    """Return where to read more: a name and one or more lines for each."""
    results, report = layout.root, layout.report("index.html")
    claims = layout.table(StudyTable.CLAIMS).with_suffix(".html")
    text = layout.table(StudyTable.COMPARISON).with_suffix(".txt")
    places = {
        "report": [str(report) if report.is_file() else f"snakemake --cores 1 -- {report}"],
        "claims": [str(claims)] if claims.is_file() else [],
        "tables": [f"{text} (all as text), {results}/*.html"],
        "figures": [f"{layout.figure('*').parent}/"],
        "errors": [
            str(page) for page in sorted(results.glob(str(layout.error_browser("*", "*").relative_to(results))))
        ],
        "MLflow": _mlflow(layout),
    }
    return {name: lines for name, lines in places.items() if lines}


def _mlflow(layout: ResultsLayout) -> list[str]:
    """Return the address of the study's charts; without a server of its own also the command that serves them."""
    tracked, database = layout.tracked_study(), layout.tracking_database()
    if not tracked.is_file():
        return []
    charts = f"/#/experiments/{read_json(tracked)['experiment_id']}/runs?compareRunsMode=CHART"
    server: str = read_json(database)["tracking_uri"] if database.is_file() else ""
    if server.startswith("http"):
        return [server.rstrip("/") + charts]
    port = free_port()
    options = [] if layout.root == Path("results") else [f"RESULTS={layout.root}"]
    options += [] if port == MLFLOW_PORT else [f"PORT={port}"]
    return [" ".join(["make ui", *options]), f"http://127.0.0.1:{port}{charts}"]
