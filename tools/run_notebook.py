"""Run a notebook's cells in one namespace and store their outputs: `run_notebook.py NOTEBOOK.ipynb`.

Outputs are printed text, and the value of a cell's last expression: PIL images as JPEG, all other values as text.
"""

import ast
import base64
import contextlib
import io
import sys
from pathlib import Path
from typing import Any

import nbformat
from PIL.Image import Image


def run(notebook: nbformat.NotebookNode) -> None:
    """Run the code cells in order and replace their outputs; an exception of a cell is raised."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    count = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            cell.outputs = outputs_of(cell.source, namespace, count)


def outputs_of(source: str, namespace: dict[str, Any], count: int) -> list[nbformat.NotebookNode]:
    """Run a cell and return its outputs."""
    tree = ast.parse(source)
    last, value = tree.body[-1] if tree.body else None, None
    if isinstance(last, ast.Expr):
        tree.body.pop()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(tree, f"cell {count}", "exec"), namespace)  # noqa: S102 -- our own notebooks
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), f"cell {count}", "eval"), namespace)  # noqa: S307
    outputs = []
    if printed.getvalue():
        outputs.append(nbformat.v4.new_output("stream", name="stdout", text=printed.getvalue()))
    if value is not None:
        outputs.append(nbformat.v4.new_output("execute_result", shown(value), execution_count=count))
    return outputs


def shown(value: Any) -> dict[str, str]:
    """Return a value by MIME type."""
    if not isinstance(value, Image):
        return {"text/plain": repr(value)}
    stream = io.BytesIO()
    value.convert("RGB").save(stream, "JPEG", quality=88)
    return {"image/jpeg": base64.b64encode(stream.getvalue()).decode(), "text/plain": f"{value.width} x {value.height}"}


def main(path: Path) -> None:
    """Run a notebook in place."""
    notebook = nbformat.read(path, as_version=4)
    run(notebook)
    nbformat.write(notebook, path)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
