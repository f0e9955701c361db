"""Person detector as an ONNX model of the YOLOX family, in the two published forms."""

import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from transpose.config.dataset import DetectorBoxes
from transpose.data.onnx_session import first_line, open_session
from transpose.errors import InputError

PERSON = 0
"""Label of persons in both forms: COCO's first category, and the only one of single-class detectors."""

STRIDES = (8, 16, 32)
"""Strides in canvas pixels of a YOLOX head's three grids, in output order."""

_LARGEST_LOG_SIDE = 10.0
"""Limit of a box side, exp(10) = 22,000 cells; larger values come from a head that is already decoded."""

Shape = Sequence[int | str | None]
"""Shape of an array; a dynamic dimension is a name or None."""
Persons = tuple[np.ndarray, np.ndarray]
"""Boxes [N, 4] (two corners, canvas pixels) and scores [N]."""
Reader = Callable[[Sequence[np.ndarray]], Persons]


class DetectorModel:
    """An ONNX model of the YOLOX family that detects persons."""

    def __init__(self, path: Path, settings: DetectorBoxes) -> None:
        """Load an .onnx file, or a .zip with one, on CUDA if onnxruntime supports it and on the CPU otherwise.

        Raises:
            InputError: the file is not a model, or its inputs or outputs are not YOLOX's.
            ModuleNotFoundError: onnxruntime is not installed.
        """
        self.path = path
        self._session = open_session(_model_bytes(path), path, settings.threads)
        inputs = self._session.get_inputs()
        check_inputs([entry.shape for entry in inputs], settings.input_size, path)
        self._input = inputs[0].name
        shapes = [output.shape for output in self._session.get_outputs()]
        self._read = reader_of(shapes, settings.input_size, settings.score_threshold, path)

    def find(self, canvas: np.ndarray) -> Persons:
        """Detect persons on a canvas [3, H, W] (float32 BGR, 0 to 255).

        Raises:
            InputError: the model fails, or its outputs do not have the declared shapes.
        """
        try:
            outputs = self._session.run(None, {self._input: canvas[None]})
        except Exception as error:  # onnxruntime's own errors share no base class
            raise InputError(f"the model failed: {first_line(error)}", file=self.path) from None
        return self._read(outputs)


def _model_bytes(path: Path) -> bytes:
    """Read the model from an .onnx file, or from a zip archive with one .onnx file."""
    try:
        if not zipfile.is_zipfile(path):
            return path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".onnx")]
            if len(names) != 1:
                raise InputError(f"the archive has {len(names)} .onnx files, not one", file=path)
            return archive.read(names[0])
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"cannot be read: {error}", file=path) from None


def check_inputs(shapes: Sequence[Shape], size_hw: tuple[int, int], model: Path) -> None:
    """Check that a model has one input, a canvas of the given size.

    Raises:
        InputError: the inputs have other shapes.
    """
    wanted = (1, 3, *size_hw)
    if [len(shape) for shape in shapes] == [4] and all(map(_may_be, shapes[0], wanted)):
        return
    raise InputError(f"must be {list(wanted)}, not {_shown(shapes)}: check input_size", file=model, field="inputs")


def reader_of(shapes: Sequence[Shape], size_hw: tuple[int, int], threshold: float, model: Path) -> Reader:
    """Return a function that reads persons with a score of at least `threshold` from a model's outputs.

    The form of the outputs is chosen by their shapes:

    - One output [1, N, 5 + C]: the raw head, as in YOLOX's own export; N grid cells, each with a centre relative to the
      cell, the logarithms of the sides, objectness, and the scores of C categories.
    - Outputs [1, n, 5] and [1, n]: corners and score of n boxes after suppression, and their labels, as in MMDeploy's
      end-to-end export.

    Raises:
        InputError: the shapes match neither form.
    """
    cells = sum((size_hw[0] // stride) * (size_hw[1] // stride) for stride in STRIDES)
    if len(shapes) == 1 and len(shapes[0]) == 3 and _may_be(shapes[0][1], cells) and _at_least(shapes[0][2], 6):
        return partial(_read_head, size_hw=size_hw, threshold=threshold, model=model)
    ranks = [len(shape) for shape in shapes]
    if sorted(ranks) == [2, 3] and _may_be(shapes[ranks.index(3)][2], 5):
        return partial(_read_end_to_end, boxes=ranks.index(3), threshold=threshold, model=model)
    forms = f"[1, {cells}, 5 + categories] (a YOLOX head at this input_size) or [1, n, 5] and [1, n] (boxes and labels)"
    raise InputError(f"must be {forms}, not {_shown(shapes)}", file=model, field="outputs")


def _read_head(outputs: Sequence[np.ndarray], size_hw: tuple[int, int], threshold: float, model: Path) -> Persons:
    (head,) = outputs
    corners, strides = _grid(size_hw)
    if head.shape[:2] != (1, len(corners)):
        raise InputError(
            f"has shape {list(head.shape)}, not [1, {len(corners)}, 5 + categories]", file=model, field="outputs"
        )
    scores = head[0, :, 4] * head[0, :, 5 + PERSON]
    chosen = np.flatnonzero(scores >= threshold)
    cells, log_sides = head[0, chosen, :2].astype(np.float64), head[0, chosen, 2:4].astype(np.float64)
    if len(chosen) and not log_sides.max() <= _LARGEST_LOG_SIDE:
        raise InputError(
            "box sizes are too large: the model must not decode the head itself", file=model, field="outputs"
        )
    centres = (cells + corners[chosen]) * strides[chosen]
    halves = np.exp(log_sides) * strides[chosen] / 2
    return np.concatenate([centres - halves, centres + halves], axis=1), scores[chosen]


def _read_end_to_end(outputs: Sequence[np.ndarray], boxes: int, threshold: float, model: Path) -> Persons:
    found, labels = outputs[boxes], outputs[1 - boxes]
    if found.shape != (1, *labels.shape[1:], 5):
        problem = f"have shapes {list(found.shape)} and {list(labels.shape)}, not [1, n, 5] and [1, n]"
        raise InputError(problem, file=model, field="outputs")
    found, labels = found[0], labels[0]
    chosen = (labels == PERSON) & (found[:, 4] >= threshold)
    return found[chosen, :4].astype(np.float64), found[chosen, 4]


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


def _shown(shapes: Sequence[Shape]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes) or "none"
