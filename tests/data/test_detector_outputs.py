"""Outputs of any published form give the same persons; other outputs are refused."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import ArrayLike

from transpose.data.detector_canvas import RF_DETR, RT_DETR, ULTRALYTICS, YOLOX, CanvasStyle
from transpose.data.detector_outputs import Form, Port, form_of
from transpose.errors import InputError

SIZE = (64, 32)
CELLS = 8 * 4 + 4 * 2 + 2 * 1
MODEL = Path("model.onnx")
Shapes = Sequence[Sequence[int | str | None]]


def form(shapes: Shapes, names: Sequence[str] = ("a", "b", "c"), threshold: float = 0.3) -> Form:
    return form_of([Port(name, shape) for name, shape in zip(names, shapes, strict=False)], SIZE, threshold, MODEL)


def head(**rows: list[float]) -> np.ndarray:
    """[1, CELLS, 7] of zeros, but for rows by their number."""
    values = np.zeros((1, CELLS, 7), dtype=np.float32)
    for number, row in rows.items():
        values[0, int(number.removeprefix("row"))] = row
    return values


def test_cells_of_all_grids_are_decoded() -> None:
    style, read = form([[1, CELLS, 7]], threshold=0.25)
    assert style == YOLOX
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
        found, scores = form(shapes).read(outputs)
        assert found.tolist() == [[1, 2, 3, 4]]
        assert scores.tolist() == [0.5]


def logit(probability: float) -> float:
    return float(np.log(probability / (1 - probability)))


# One person with corners (4, 8, 12, 40) and score 0.75, another object, and a person below the threshold.
PERSON, CENTRE, OTHER = [4, 8, 12, 40], [8, 24, 8, 32], [1, 1, 2, 2]
RELATIVE = [[0.25, 0.375, 0.25, 0.5], [0.5, 0.5, 0.1, 0.1], [0.5, 0.5, 0.2, 0.2]]


def logits(categories: int, person: int) -> np.ndarray:
    """[3, categories] of the three objects."""
    values = np.full((3, categories), -9.0)
    values[[0, 2], person] = logit(0.75), logit(0.1)
    values[1, -1] = 3
    return values


FORMS: dict[str, tuple[CanvasStyle, Sequence[str], Shapes, Sequence[ArrayLike]]] = {
    "ultralytics": (
        ULTRALYTICS,
        ["output0"],
        [[1, 6, CELLS]],
        [np.transpose([[*CENTRE, 0.75, 0], [*OTHER, 0, 0.9]] + [[*OTHER, 0.1, 0]] * (CELLS - 2))],
    ),
    "ultralytics with dynamic axes": (
        ULTRALYTICS,
        ["output0"],
        [["batch", 5, "anchors"]],
        [np.transpose([[*CENTRE, 0.75]] + [[*OTHER, 0.1]] * (CELLS - 1))],
    ),
    "ultralytics end to end": (
        ULTRALYTICS,
        ["output0"],
        [[1, 300, 6]],
        [[[*PERSON, 0.75, 0], [*OTHER, 0.9, 1], [*OTHER, 0.1, 0]]],
    ),
    "ultralytics end to end with dynamic axes": (
        ULTRALYTICS,
        ["output0"],
        [["batch", 300, "anchors"]],
        [[[*PERSON, 0.75, 0], [*OTHER, 0.9, 1], [*OTHER, 0.1, 0]]],
    ),
    "ultralytics end to end with a dynamic number of boxes": (
        ULTRALYTICS,
        ["output0"],
        [["batch", "boxes", 6]],
        [[[*PERSON, 0.75, 0], [*OTHER, 0.9, 1]]],
    ),
    "hugging face": (
        RT_DETR,
        ["logits", "pred_boxes"],
        [["batch", 300, 80], ["batch", 300, 4]],
        [logits(80, person=0), RELATIVE],
    ),
    "rf-detr with coco's ids": (
        RF_DETR,
        ["dets", "labels"],
        [[1, 300, 4], [1, 300, 91]],
        [RELATIVE, logits(91, person=1)],
    ),
    "rf-detr with masks": (
        RF_DETR,
        ["dets", "labels", "masks"],
        [[1, 300, 4], [1, 300, 91], [1, 300, 8, 8]],
        [RELATIVE, logits(91, person=1), np.zeros((3, 8, 8))],
    ),
    "detr of four categories": (
        RT_DETR,
        ["logits", "boxes"],
        [[1, 3, 4], [1, 3, 4]],
        [logits(4, person=0), RELATIVE],
    ),
    "d-fine": (
        RT_DETR,
        ["labels", "boxes", "scores"],
        [["N", 300], ["N", 300, 4], ["N", 300]],
        [[0, 7, 0], [PERSON, OTHER, OTHER], [0.75, 0.9, 0.1]],
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_persons_of_every_form(name: str) -> None:
    style, names, shapes, values = FORMS[name]
    found = form(shapes, names)
    assert found.style == style
    corners, scores = found.read([np.array(value, dtype=np.float32)[None] for value in values])
    np.testing.assert_allclose(corners, [PERSON], rtol=1e-6)
    np.testing.assert_allclose(scores, [0.75], rtol=1e-6)


@pytest.mark.parametrize(
    "shapes",
    [
        [],
        [[1, CELLS + 1, 7]],
        [[1, CELLS, 5]],
        [[1, 84, 8400]],
        [[1, 4, CELLS]],
        [[1, 9, 5]],
        [[1, 9, 6], [1, 9]],
        [[1, 9, 7], [1, 9, 80]],
        [[1, 9, 4], [1, 9], [1, 9]],
    ],
)
def test_other_outputs_are_refused_with_their_shapes(shapes: list[list[int]]) -> None:
    with pytest.raises(InputError, match=r"model\.onnx: outputs: must be those of YOLOX \(\[1, 42, .*, not "):
        form(shapes)


def test_outputs_that_break_their_promise_are_refused() -> None:
    with pytest.raises(InputError, match=r"has shape \[1, 3, 7\], not \[1, 42"):
        form([["batch", "cells", 7]]).read([np.zeros((1, 3, 7))])
    with pytest.raises(InputError, match=r"have shapes \[1, 2, 5\] and \[1, 3\]"):
        form([[1, None, 5], [1, None]]).read([np.zeros((1, 2, 5)), np.zeros((1, 3))])
    wrong: list[tuple[list[int | str | None], tuple[int, ...]]] = [
        ([1, 300, 6], (1, 2, 7)),
        ([1, 6, CELLS], (2, 6, CELLS)),
        ([1, 300, "n"], (1, 300, 84)),
        ([1, "n", 6], (1, CELLS, 6)),
    ]
    for declared, shape in wrong:
        with pytest.raises(InputError, match=r"has shape .*, not \[1, 4 \+ categories, 42\] or \[1, n, 6\]"):
            form([declared]).read([np.zeros(shape)])
    with pytest.raises(InputError, match=r"have shapes \[1, 3, 4\] and \[1, 2, 80\]"):
        form([[1, 9, 4], [1, 9, 80]]).read([np.zeros((1, 3, 4)), np.zeros((1, 2, 80))])
    names = ["boxes", "scores", "labels"]
    with pytest.raises(InputError, match=r"have shapes \[1, 3, 4\], \[1, 2\], \[1, 3\], not"):
        form([[1, 9, 4], [1, 9], [1, 9]], names).read([np.zeros((1, 3, 4)), np.zeros((1, 2)), np.zeros((1, 3))])


@pytest.mark.parametrize("side", [60.0, np.inf, np.nan])
def test_a_head_that_is_decoded_already_is_reported(side: float) -> None:
    with pytest.raises(InputError, match="box sizes are too large"):
        form([[1, CELLS, 7]]).read([head(row0=[9, 9, side, 30, 1, 1, 0])])


def test_boxes_in_pixels_instead_of_fractions_are_reported() -> None:
    boxes, logits = np.array([[[20.0, 20, 8, 8]]]), np.array([[[3.0, 0]]])
    with pytest.raises(InputError, match="boxes must be relative to the image"):
        form([[1, 1, 4], [1, 1, 2]]).read([boxes, logits])
