"""The notebooks of the documentation run, and their stored outputs are those of a run."""

from pathlib import Path

import nbformat
import pytest

from tools.run_notebook import run

NOTEBOOKS = sorted((Path(__file__).parents[1] / "docs" / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs_and_has_the_stored_kinds_of_output(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    before = kinds(notebook)
    assert any("image/jpeg" in kind for kind in before)
    run(notebook)
    assert kinds(notebook) == before, f"run: python tools/run_notebook.py {path}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_images_are_small(path: Path) -> None:
    assert path.stat().st_size < 200_000


def kinds(notebook: nbformat.NotebookNode) -> list[tuple[str, ...]]:
    """The types of the outputs of each code cell."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [tuple(kind for output in cell.outputs for kind in output.get("data", ["text"])) for cell in cells]
