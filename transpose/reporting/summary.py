"""What a terminal shows at the end of a run."""

from pathlib import Path

from transpose.errors import InputError


def render_summary(results: Path) -> str:
    """The comparison of a results folder as text, and where report, figures and MLflow are.

    Raises:
        InputError: the folder holds no comparison.
    """
    tables = results / "comparison.txt"
    if not tables.is_file():
        raise InputError(results, None, None, "no comparison here; `make demo` or `snakemake --cores all` makes one")
    report = results / "report.html"
    places = {
        "tables": f"{results}/comparison.{{csv,md,html,tex}}, {results}/ablations.*, {results}/verdicts.*",
        "figures": f"{results}/figures/",
        "attention": f"{results}/attention/, {results}/explorer/*.html",
        "report": str(report) if report.is_file() else f"snakemake --report {report} makes it",
        "MLflow": "make ui",
    }
    width = max(map(len, places))
    return (
        tables.read_text(encoding="utf-8").rstrip()
        + "\n\n"
        + "\n".join(f"{name:<{width}}  {place}" for name, place in places.items())
    )
