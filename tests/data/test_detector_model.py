"""Outputs of either published form give the same persons; other outputs are refused."""

from pathlib import Path

import numpy as np
import pytest

from transpose.data.detector_model import check_inputs, reader_of
from transpose.errors import InputError

SIZE = (64, 32)
CELLS = 8 * 4 + 4 * 2 + 2 * 1
MODEL = Path("model.onnx")


def head(**rows: list[float]) -> np.ndarray:
    """[1, CELLS, 7] of zeros, but for rows by their number."""
    values = np.zeros((1, CELLS, 7), dtype=np.float32)
    for number, row in rows.items():
        values[0, int(number.removeprefix("row"))] = row
    return values


def test_cells_of_all_grids_are_decoded() -> None:
    read = reader_of([[1, CELLS, 7]], SIZE, 0.25, MODEL)
    # Row 6 is cell (2, 1) of stride 8; row 35 is cell (1, 1) of stride 16; row 41 is cell (0, 1) of stride 32.
    found, scores = read(
        [
            head(
                row6=[0.5, 0.25, 0, np.log(2), 0.5, 0.5, 1],
                row35=[0, 0, np.log(3), 0, 1, 0.75, 0],
                row41=[-1, 0, 0, 0, 1, 1, 0],
                row7=[0, 0, 0, 0, 0.4, 0.5, 1],
            )
        ]
    )
    np.testing.assert_allclose(found, [[16, 2, 24, 18], [-8, 8, 40, 24], [-48, 16, -16, 48]], rtol=1e-6)
    np.testing.assert_allclose(scores, [0.25, 0.75, 1])


def test_persons_of_an_end_to_end_model_are_chosen_by_label_and_score() -> None:
    dets = np.array([[[1, 2, 3, 4, 0.5], [5, 6, 7, 8, 0.9], [9, 9, 10, 10, 0.2]]], dtype=np.float32)
    labels = np.array([[0, 1, 0]])
    for shapes, outputs in (([[1, "n", 5], [1, "n"]], [dets, labels]), ([[None, None], [1, None, 5]], [labels, dets])):
        found, scores = reader_of(shapes, SIZE, 0.3, MODEL)(outputs)
        assert found.tolist() == [[1, 2, 3, 4]]
        assert scores.tolist() == [0.5]


@pytest.mark.parametrize(
    "shapes",
    [
        [],
        [[1, CELLS + 1, 7]],
        [[1, CELLS, 5]],
        [[1, 84, 8400]],
        [[1, 9, 5]],
        [[1, 9, 6], [1, 9]],
        [[1, 9, 4], [1, 9, 80]],
    ],
)
def test_other_outputs_are_refused_with_their_shapes(shapes: list[list[int]]) -> None:
    with pytest.raises(InputError, match=r"model\.onnx: outputs: must be \[1, 42, 5 \+ categories\] .*, not "):
        reader_of(shapes, SIZE, 0.3, MODEL)


def test_outputs_that_break_their_promise_are_refused() -> None:
    with pytest.raises(InputError, match=r"has shape \[1, 3, 7\], not \[1, 42"):
        reader_of([["batch", "cells", 7]], SIZE, 0.3, MODEL)([np.zeros((1, 3, 7))])
    with pytest.raises(InputError, match=r"have shapes \[1, 2, 5\] and \[1, 3\]"):
        reader_of([[1, None, 5], [1, None]], SIZE, 0.3, MODEL)([np.zeros((1, 2, 5)), np.zeros((1, 3))])


@pytest.mark.parametrize("side", [60.0, np.inf, np.nan])
def test_a_head_that_is_decoded_already_is_reported(side: float) -> None:
    with pytest.raises(InputError, match="box sizes are too large"):
        reader_of([[1, CELLS, 7]], SIZE, 0.3, MODEL)([head(row0=[9, 9, side, 30, 1, 1, 0])])


def test_inputs_must_be_one_canvas_of_the_size() -> None:
    check_inputs([[1, 3, 64, 32]], SIZE, MODEL)
    check_inputs([["batch", 3, None, "width"]], SIZE, MODEL)
    for shapes in ([[1, 3, 32, 64]], [[1, 1, 64, 32]], [[2, 3, 64, 32]], [[3, 64, 32]], [], [[1, 3, 64, 32]] * 2):
        with pytest.raises(InputError, match="check input_size"):
            check_inputs(shapes, SIZE, MODEL)
