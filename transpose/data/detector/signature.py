"""What YOLOX models take and give, in either of the two forms that are published, and persons from what they give."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from transpose.errors import InputError

PERSON = 0
"""Label of persons, COCO's first category, in both forms; also the only label of a detector of persons alone."""

STRIDES = (8, 16, 32)
"""Canvas pixels between neighbouring cells of a YOLOX head's three grids, in its order."""

_LARGEST_LOG_SIDE = 10.0
"""A box of more than 20,000 cells is none; a head that has been decoded already looks that way."""

Shape = Sequence[int | str | None]
"""Sides of an array; a dynamic one has a name or nothing."""
Persons = tuple[np.ndarray, np.ndarray]
"""Boxes [N, 4] (two corners, canvas pixels) and scores [N]."""
Reader = Callable[[Sequence[np.ndarray]], Persons]


def check_inputs(shapes: Sequence[Shape], size_hw: tuple[int, int], model: Path) -> None:
    """Check that a model takes one canvas.

    Raises:
        InputError: its inputs have other shapes.
    """
    wanted = (1, 3, *size_hw)
    if [len(shape) for shape in shapes] == [4] and all(map(_may_be, shapes[0], wanted)):
        return
    raise InputError(model, None, "inputs", f"takes {_shown(shapes)}, not {list(wanted)}: does input_size fit?")


def reader_of(shapes: Sequence[Shape], size_hw: tuple[int, int], threshold: float, model: Path) -> Reader:
    """Function from a model's outputs, in its order, to persons scored at least `threshold`, chosen by their shapes.

    - One output [1, N, 5 + C]: the bare head, as YOLOX's own export writes it; N cells of the grids, each with a centre
      relative to the cell, the logarithms of the sides, objectness, and the scores of C categories.
    - Outputs [1, n, 5] and [1, n]: corners and score of n boxes after suppression, and their labels, as MMDeploy's
      end-to-end export writes them.

    Raises:
        InputError: the shapes are neither form's.
    """
    cells = sum((size_hw[0] // stride) * (size_hw[1] // stride) for stride in STRIDES)
    if len(shapes) == 1 and len(shapes[0]) == 3 and _may_be(shapes[0][1], cells) and _at_least(shapes[0][2], 6):
        return partial(_read_head, size_hw=size_hw, threshold=threshold, model=model)
    ranks = [len(shape) for shape in shapes]
    if sorted(ranks) == [2, 3] and _may_be(shapes[ranks.index(3)][2], 5):
        return partial(_read_end_to_end, boxes=ranks.index(3), threshold=threshold, model=model)
    forms = f"[1, {cells}, 5 + categories] (a YOLOX head at this input_size) or [1, n, 5] and [1, n] (boxes and labels)"
    raise InputError(model, None, "outputs", f"gives {_shown(shapes)}; must give {forms}")


def _read_head(outputs: Sequence[np.ndarray], size_hw: tuple[int, int], threshold: float, model: Path) -> Persons:
    (head,) = outputs
    corners, strides = _grid(size_hw)
    if head.shape[:2] != (1, len(corners)):
        raise InputError(model, None, "outputs", f"gave {list(head.shape)}, not [1, {len(corners)}, 5 + categories]")
    scores = head[0, :, 4] * head[0, :, 5 + PERSON]
    chosen = np.flatnonzero(scores >= threshold)
    cells, log_sides = head[0, chosen, :2].astype(np.float64), head[0, chosen, 2:4].astype(np.float64)
    if len(chosen) and not log_sides.max() <= _LARGEST_LOG_SIDE:
        raise InputError(model, None, "outputs", "boxes of no possible size: is the head decoded in the model itself?")
    centres = (cells + corners[chosen]) * strides[chosen]
    halves = np.exp(log_sides) * strides[chosen] / 2
    return np.concatenate([centres - halves, centres + halves], axis=1), scores[chosen]


def _read_end_to_end(outputs: Sequence[np.ndarray], boxes: int, threshold: float, model: Path) -> Persons:
    found, labels = outputs[boxes], outputs[1 - boxes]
    if found.shape != (1, *labels.shape[1:], 5):
        problem = f"gave {list(found.shape)} and {list(labels.shape)}, not [1, n, 5] and [1, n]"
        raise InputError(model, None, "outputs", problem)
    found, labels = found[0], labels[0]
    chosen = (labels == PERSON) & (found[:, 4] >= threshold)
    return found[chosen, :4].astype(np.float64), found[chosen, 4]


def _grid(size_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(x, y) [N, 2] and stride [N, 1] of all cells: grid by grid, row by row."""
    grids = []
    for stride in STRIDES:
        rows, columns = np.mgrid[: size_hw[0] // stride, : size_hw[1] // stride]
        grids.append(np.stack([columns.ravel(), rows.ravel(), np.full(rows.size, stride)], axis=1))
    cells = np.concatenate(grids)
    return cells[:, :2], cells[:, 2:]


def _may_be(side: int | str | None, expected: int) -> bool:
    """Whether a side of a shape, which has a name or nothing where it is dynamic, can be `expected`."""
    return not isinstance(side, int) or side == expected


def _at_least(side: int | str | None, least: int) -> bool:
    return not isinstance(side, int) or side >= least


def _shown(shapes: Sequence[Shape]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes)
