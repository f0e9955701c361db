from dataclasses import dataclass

import numpy as np
import pytest

from transpose.columns import Columns


@dataclass(frozen=True)
class Points(Columns):
    names: np.ndarray
    xy: np.ndarray


@pytest.mark.parametrize("chosen", [np.array([True, False, True]), np.array([0, 2])])
def test_a_mask_or_positions_select_rows_of_every_column(chosen):
    points = Points(np.array(["a", "b", "c"]), np.arange(6).reshape(3, 2))
    found = points.select(chosen)
    assert type(found) is Points
    assert len(points) == 3
    assert len(found) == 2
    assert found.names.tolist() == ["a", "c"]
    assert found.xy.tolist() == [[0, 1], [4, 5]]


def test_order_and_repetition_of_positions_are_kept():
    points = Points(np.array(["a", "b", "c"]), np.zeros((3, 2)))
    assert points.select(np.array([2, 0, 2])).names.tolist() == ["c", "a", "c"]
