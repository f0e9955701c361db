"""Read the outputs of published person detectors, which are recognised by names and shapes."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from transpose.data.detector_canvas import RF_DETR, RT_DETR, ULTRALYTICS, YOLOX, CanvasStyle
from transpose.errors import InputError

PERSON = 0
"""Label of persons: COCO's first category, and the only one of single-class detectors."""
_PERSON_OF_COCO_IDS = 1
_COCO_IDS = 91
"""Categories of a model whose labels are COCO's ids, in which the person is 1."""

STRIDES = (8, 16, 32)
"""Strides in canvas pixels of the three grids of YOLOX and Ultralytics heads, in output order."""

_LARGEST_LOG_SIDE = 10.0
"""Limit of a box side, exp(10) = 22,000 cells; larger values come from a head that is already decoded."""
_LARGEST_SHARE = 2.0
"""Limit of a relative coordinate; larger values are pixels."""


class Port(NamedTuple):
    """An input or output of a model."""

    name: str
    shape: Sequence[int | str | None]
    """A dynamic dimension is a name or None."""


Persons = tuple[np.ndarray, np.ndarray]
"""Boxes [N, 4] (two corners, canvas pixels) and scores [N]."""
Reader = Callable[[Sequence[np.ndarray]], Persons]


class Form(NamedTuple):
    """A published form of detector."""

    style: CanvasStyle
    read: Reader


def form_of(outputs: Sequence[Port], size_hw: tuple[int, int], threshold: float, model: Path) -> Form:
    """Return how a model expects images, and a function that reads persons with a score of at least `threshold`.

    - One output [1, N, 5 + C], N cells of three grids: the raw head of YOLOX's own export; each row has a centre
      relative to the cell, the logarithms of the sides, objectness, and the scores of C categories.
    - [1, n, 5] and [1, n]: corners and score of n boxes after suppression, and labels: YOLOX by MMDeploy.
    - One output [1, 4 + C, N]: centres and sides in pixels, and scores of C categories: Ultralytics.
    - One output [1, n, 6]: corners, score and label after suppression: Ultralytics end to end.
    - [1, n, 4] and [1, n, C]: centres and sides relative to the image, and logits: RT-DETR, D-FINE and RF-DETR. Outputs
      called `dets` and `labels`, some with `masks`, are RF-DETR's, whose images are normalised.
    - `boxes` [1, n, 4], `scores` [1, n] and `labels` [1, n]: corners in pixels of the size in a second input: the
      authors' exports of RT-DETR and D-FINE.

    Raises:
        InputError: the outputs match none of them.
    """
    cells = sum((size_hw[0] // stride) * (size_hw[1] // stride) for stride in STRIDES)
    read = partial(_Outputs, size_hw=size_hw, threshold=threshold, model=model)
    shapes = [port.shape for port in outputs]
    ranks = [len(shape) for shape in shapes]
    if ranks == [3]:
        (shape,) = shapes
        is_end_to_end = shape[2] == 6 and shape[1] != cells
        if not is_end_to_end and _may_be(shape[1], cells) and _at_least(shape[2], 6):
            return Form(YOLOX, lambda arrays: read(arrays).yolox_head())
        if is_end_to_end or (isinstance(shape[1], int) and shape[1] >= 5 and _may_be(shape[2], cells)):
            return Form(ULTRALYTICS, lambda arrays: read(arrays).ultralytics(cells))
    if sorted(ranks) == [2, 3] and _may_be(shapes[ranks.index(3)][2], 5):
        return Form(YOLOX, lambda arrays: read(arrays).scored_corners_and_labels(ranks.index(3)))
    names = [port.name for port in outputs]
    if ranks[:2] == [3, 3] and names in (["dets", "labels"], ["dets", "labels", "masks"]):
        return Form(RF_DETR, lambda arrays: read(arrays[:2]).relative_boxes_and_logits(0))
    if ranks == [3, 3] and (boxes := _boxes_among(outputs)) is not None:
        return Form(RT_DETR, lambda arrays: read(arrays).relative_boxes_and_logits(boxes))
    if sorted(names) == ["boxes", "labels", "scores"]:
        order = [names.index(name) for name in ("boxes", "scores", "labels")]
        return Form(RT_DETR, lambda arrays: read([arrays[i] for i in order]).boxes_scores_and_labels())
    known = (
        f"YOLOX ([1, {cells}, 5 + categories] at this input size, or [1, n, 5] and [1, n]), Ultralytics"
        f" ([1, 4 + categories, {cells}] or [1, n, 6]), or RT-DETR, D-FINE and RF-DETR ([1, n, 4] and"
        " [1, n, categories], or boxes, scores and labels)"
    )
    raise InputError(f"must be those of {known}, not {shown(outputs)}", file=model, field="outputs")


def shown(ports: Sequence[Port]) -> str:
    """Return the shapes of inputs or outputs, for messages."""
    return ", ".join(str(list(port.shape)) for port in ports) or "none"


class _Outputs:
    """The output arrays of a model for one image."""

    def __init__(self, arrays: Sequence[np.ndarray], size_hw: tuple[int, int], threshold: float, model: Path) -> None:
        self._arrays = arrays
        self._size_hw = size_hw
        self._threshold = threshold
        self._model = model

    def yolox_head(self) -> Persons:
        (head,) = self._arrays
        corners, strides = _grid(self._size_hw)
        if head.shape[:2] != (1, len(corners)):
            raise self._wrong(f"has shape {list(head.shape)}, not [1, {len(corners)}, 5 + categories]")
        scores = head[0, :, 4] * head[0, :, 5 + PERSON]
        chosen = np.flatnonzero(scores >= self._threshold)
        cells, log_sides = head[0, chosen, :2].astype(np.float64), head[0, chosen, 2:4].astype(np.float64)
        if len(chosen) and not log_sides.max() <= _LARGEST_LOG_SIDE:
            raise self._wrong("box sizes are too large: the model must not decode the head itself")
        centres = (cells + corners[chosen]) * strides[chosen]
        halves = np.exp(log_sides) * strides[chosen] / 2
        return np.concatenate([centres - halves, centres + halves], axis=1), scores[chosen]

    def scored_corners_and_labels(self, boxes: int) -> Persons:
        found, labels = self._arrays[boxes], self._arrays[1 - boxes]
        if found.shape != (1, *labels.shape[1:], 5):
            raise self._wrong(f"have shapes {list(found.shape)} and {list(labels.shape)}, not [1, n, 5] and [1, n]")
        return self._chosen(found[0, :, :4], found[0, :, 4], labels[0])

    def ultralytics(self, cells: int) -> Persons:
        # By the array, since exports with dynamic axes declare the sides of both forms as dynamic.
        (found,) = self._arrays
        if found.ndim == 3 and len(found) == 1:
            if found.shape[2] == 6 and found.shape[1] != cells:
                return self._chosen(found[0, :, :4], found[0, :, 4], found[0, :, 5])
            if found.shape[2] == cells and found.shape[1] >= 5:
                return self._chosen(_corners(found[0, :4].T), found[0, 4 + PERSON])
        raise self._wrong(f"has shape {list(found.shape)}, not [1, 4 + categories, {cells}] or [1, n, 6]")

    def relative_boxes_and_logits(self, boxes: int) -> Persons:
        found, logits = self._arrays[boxes], self._arrays[1 - boxes]
        if found.shape != (*logits.shape[:2], 4) or len(found) != 1:
            shapes = f"{list(found.shape)} and {list(logits.shape)}"
            raise self._wrong(f"have shapes {shapes}, not [1, n, 4] and [1, n, categories]")
        person = _PERSON_OF_COCO_IDS if logits.shape[2] == _COCO_IDS else PERSON
        corners, scores = self._chosen(_corners(found[0]), 1 / (1 + np.exp(-logits[0, :, person].astype(np.float64))))
        if len(corners) and not np.abs(corners).max() <= _LARGEST_SHARE:
            raise self._wrong("boxes must be relative to the image, from 0 to 1")
        height, width = self._size_hw
        return corners * [width, height, width, height], scores

    def boxes_scores_and_labels(self) -> Persons:
        boxes, scores, labels = self._arrays
        if boxes.shape != (*scores.shape, 4) or labels.shape != scores.shape or len(boxes) != 1:
            shapes = ", ".join(str(list(array.shape)) for array in self._arrays)
            raise self._wrong(f"have shapes {shapes}, not [1, n, 4], [1, n] and [1, n]")
        return self._chosen(boxes[0], scores[0], labels[0])

    def _chosen(self, corners: np.ndarray, scores: np.ndarray, labels: np.ndarray | int = PERSON) -> Persons:
        chosen = (labels == PERSON) & (scores >= self._threshold)
        return corners[chosen].astype(np.float64), scores[chosen]

    def _wrong(self, problem: str) -> InputError:
        return InputError(problem, file=self._model, field="outputs")


def _boxes_among(outputs: Sequence[Port]) -> int | None:
    """Return which of two outputs has the boxes, by its name or else by its last side of 4."""
    for is_boxes in (lambda port: "box" in port.name, lambda port: port.shape[2] == 4):
        found = [position for position, port in enumerate(outputs) if is_boxes(port)]
        if len(found) == 1 and _may_be(outputs[found[0]].shape[2], 4):
            return found[0]
    return None


def _corners(boxes_cxcywh: np.ndarray) -> np.ndarray:
    """Return corners [N, 4] of boxes [N, 4] given by centre and sides."""
    boxes = boxes_cxcywh.astype(np.float64)
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)


def _grid(size_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return (x, y) [N, 2] and stride [N, 1] of all cells, grid by grid in row-major order."""
    grids = []
    for stride in STRIDES:
        rows, columns = np.mgrid[: size_hw[0] // stride, : size_hw[1] // stride]
        grids.append(np.stack([columns.ravel(), rows.ravel(), np.full(rows.size, stride)], axis=1))
    cells = np.concatenate(grids)
    return cells[:, :2], cells[:, 2:]


def _may_be(side: int | str | None, expected: int) -> bool:
    """Whether a dimension of a shape equals `expected` or is dynamic."""
    return not isinstance(side, int) or side == expected


def _at_least(side: int | str | None, least: int) -> bool:
    return not isinstance(side, int) or side >= least
