"""Write the table of the package's layers into docs/design.md, from FLOORS of tests/test_import_floors.py."""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "transpose"
PAGE = ROOT / "docs" / "design.md"
FLOORS_FILE = ROOT / "tests" / "test_import_floors.py"
START, END = "<!-- layers: `python tools/layers_table.py` writes this table -->\n", "<!-- /layers -->\n"


def read_floors() -> dict[str, int]:
    """Module or package under transpose/ -> its layer; "" is the package's own exports."""
    for node in ast.parse(FLOORS_FILE.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", None) for target in node.targets] == ["FLOORS"]:
            return ast.literal_eval(node.value)
    raise ValueError(f"{FLOORS_FILE} has no FLOORS")


def module_path(name: str) -> Path:
    """File with the module's docstring."""
    path = PACKAGE.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def purpose(name: str) -> str:
    """First line of the module's docstring, without its full stop."""
    text = ast.get_docstring(ast.parse(module_path(name).read_text(encoding="utf-8")))
    return text.splitlines()[0].removesuffix(".").replace("|", "\\|") if text else ""


def label(name: str) -> str:
    """Name as the table shows it: packages end in a slash."""
    if not name:
        return "`transpose`"
    return f"`{name.replace('.', '/')}{'/' if module_path(name).name == '__init__.py' else ''}`"


def layers_table() -> str:
    """Markdown table, highest layer first, modules by name."""
    rows = sorted(read_floors().items(), key=lambda item: (-item[1], item[0]))
    lines = ["| layer | module | what it contains |", "| --- | --- | --- |"]
    lines += [f"| {floor} | {label(name)} | {purpose(name)} |" for name, floor in rows]
    return "\n".join(lines) + "\n"


def with_table(page: str) -> str:
    """The page with the table between its two markers. Raises ValueError where a marker is missing."""
    head, start, rest = page.partition(START)
    _, end, tail = rest.partition(END)
    if not (start and end):
        raise ValueError(f"{PAGE} lacks a marker of the table: {START.strip()} or {END.strip()}")
    return f"{head}{START}{layers_table()}{END}{tail}"


if __name__ == "__main__":
    if sys.argv[1:]:
        sys.exit("usage: python tools/layers_table.py")
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
