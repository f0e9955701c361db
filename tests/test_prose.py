"""The words of this project are those of its field: a floor below plain English, not a measure of it."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACES = ("transpose", "workflow", "tools", "config", "docs", "benchmarks")
FILES = ("README.md", "CONTRIBUTING.md", "Snakefile", "Makefile", "NOTICE", "pyproject.toml")
OLD_NAMES = ROOT / "tools" / "compare_results.py"
"""Lists words that were replaced."""
SUFFIXES = {"", ".py", ".smk", ".md", ".rst", ".yaml", ".yml", ".toml", ".json", ".html", ".js", ".css", ".sh"}
LITERARY = re.compile(
    r"(?<![A-Za-z])(told|tell|tells|telling|besides?|nobody|somebody|whoever|anew|foretell\w*|foretold)(?![A-Za-z])"
    r"|picture",
    re.IGNORECASE,
)


def texts() -> list[Path]:
    """Every file of ours that a user can read."""
    found = [path for place in PLACES for path in (ROOT / place).rglob("*") if path.suffix in SUFFIXES]
    return [
        path
        for path in (*found, *map(ROOT.joinpath, FILES))
        if path.is_file() and path != OLD_NAMES and "__pycache__" not in path.parts
    ]


def test_no_literary_words() -> None:
    found = []
    for path in texts():
        lines = path.read_text(encoding="utf-8").splitlines()
        found += [f"{path.relative_to(ROOT)}:{i}: {line}" for i, line in enumerate(lines, 1) if LITERARY.search(line)]
    assert found == []
