"""Person detector as an ONNX model, in the published forms of `detector_outputs`."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from transpose.data.detector_canvas import Canvas, canvas_of
from transpose.data.detector_outputs import Persons, Port, form_of, shown
from transpose.data.onnx_session import first_line, open_session
from transpose.errors import InputError

_USUAL_SIZE = (640, 640)
"""(height, width) of the canvas of models with a dynamic input."""


class DetectorModel:
    """An ONNX model that detects persons."""

    def __init__(
        self, path: Path, score_threshold: float, threads: int = 0, input_size: tuple[int, int] | None = None
    ) -> None:
        """Load an .onnx file, or a .zip with one, on CUDA if onnxruntime supports it and on the CPU otherwise.

        Args:
            score_threshold: boxes with a lower score are dropped.
            threads: CPU threads; 0 uses all cores.
            input_size: (height, width); None uses that of the model.

        Raises:
            InputError: the file is not a model, or its inputs or outputs are not those of a known detector.
            ModuleNotFoundError: onnxruntime is not installed.
        """
        self.path = path
        self._session = open_session(_model_bytes(path), path, threads)
        inputs = [Port(entry.name, entry.shape) for entry in self._session.get_inputs()]
        self.input_size = canvas_size(inputs, input_size, path)
        outputs = [Port(entry.name, entry.shape) for entry in self._session.get_outputs()]
        self._style, self._read = form_of(outputs, self.input_size, score_threshold, path)
        self._names = [port.name for port in inputs]

    def find(self, image: np.ndarray) -> tuple[Persons, Canvas]:
        """Detect persons in an image [h, w, 3] uint8 RGB; returns boxes on the canvas, scores, and the canvas.

        Raises:
            InputError: the model fails, or its outputs do not have the declared shapes.
        """
        canvas = canvas_of(image, self.input_size, self._style)
        # A second input is the size that boxes refer to.
        size_wh = np.array([self.input_size[::-1]], dtype=np.int64)
        try:
            outputs = self._session.run(None, dict(zip(self._names, (canvas.values[None], size_wh), strict=False)))
        except Exception as error:  # onnxruntime's own errors share no base class
            raise InputError(f"the model failed: {first_line(error)}", file=self.path) from None
        return self._read(outputs), canvas


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
    except FileNotFoundError:
        raise InputError("no such file", file=path) from None
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(f"cannot be read: {error}", file=path) from None


def canvas_size(inputs: Sequence[Port], wanted: tuple[int, int] | None, model: Path) -> tuple[int, int]:
    """Return the (height, width) of a model's canvas.

    Args:
        inputs: a canvas [1, 3, H, W], and of some models a size [1, 2].
        wanted: (height, width); None takes the model's, or 640 where that is dynamic.

    Raises:
        InputError: the inputs have other shapes.
    """
    shapes = [port.shape for port in inputs]
    if [len(shape) for shape in shapes] in ([4], [4, 2]):
        own = tuple(
            side if isinstance(side, int) else usual for side, usual in zip(shapes[0][2:], _USUAL_SIZE, strict=True)
        )
        height, width = wanted or own
        expected = ((1, 3, height, width), (1, 2))
        pairs = [
            pair for shape, sides in zip(shapes, expected, strict=False) for pair in zip(shape, sides, strict=True)
        ]
        if all(not isinstance(side, int) or side == one for side, one in pairs):
            return height, width
    canvas = [1, 3, *(wanted or ("height", "width"))]
    raise InputError(f"must be {canvas}, not {shown(inputs)}: check input_size", file=model, field="inputs")
