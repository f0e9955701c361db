"""docs/design.md shows the layers of tests/test_import_floors.py."""

import pytest

from tests.test_import_floors import FLOORS
from tools.layers_table import END, PAGE, START, layers_table, read_floors, with_table


def test_design_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page) == page, "run: python tools/layers_table.py"


def test_floors_are_those_of_the_import_test() -> None:
    assert read_floors() == FLOORS


def test_every_module_has_a_row_and_a_purpose() -> None:
    rows = [line.split(" | ") for line in layers_table().splitlines()[2:]]
    assert len(rows) == len(FLOORS)
    assert [row for row in rows if not row[2].strip(" |")] == []


def test_an_old_table_is_replaced() -> None:
    assert with_table(f"a\n{START}old\n{END}b\n") == f"a\n{START}{layers_table()}{END}b\n"


@pytest.mark.parametrize("page", ["", START, END, f"{END}{START}"])
def test_a_missing_marker_is_an_error(page: str) -> None:
    with pytest.raises(ValueError, match="marker"):
        with_table(page)
