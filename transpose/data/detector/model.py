"""ONNX model of a person detector."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from transpose.config.dataset import DetectorBoxes
from transpose.data.detector.signature import Persons, check_inputs, reader_of
from transpose.errors import InputError


class DetectorModel:
    """An ONNX model of the YOLOX family that detects persons."""

    def __init__(self, path: Path, settings: DetectorBoxes) -> None:
        """Load an .onnx file, or a .zip with one, on CUDA if onnxruntime supports it and on the CPU otherwise.

        Raises:
            InputError: the file is not a model, or its inputs or outputs are not YOLOX's.
            ModuleNotFoundError: onnxruntime is not installed.
        """
        self.path = path
        self._session = _open_session(path, settings.threads)
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
            raise InputError(self.path, None, None, f"the model failed: {_first_line(error)}") from None
        return self._read(outputs)


def _open_session(path: Path, threads: int) -> Any:
    import onnxruntime  # an optional dependency: the extra `detector`

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    usable = [provider for provider in wanted if provider in onnxruntime.get_available_providers()]
    content = _model_bytes(path)
    try:
        return onnxruntime.InferenceSession(content, options, providers=usable)
    except Exception as error:  # onnxruntime's own errors share no base class
        raise InputError(path, None, None, f"onnxruntime cannot load it: {_first_line(error)}") from None


def _model_bytes(path: Path) -> bytes:
    """Read the model from an .onnx file, or from a zip archive with one .onnx file."""
    try:
        if not zipfile.is_zipfile(path):
            return path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".onnx")]
            if len(names) != 1:
                raise InputError(path, None, None, f"the archive has {len(names)} .onnx files, not one")
            return archive.read(names[0])
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(path, None, None, f"cannot be read: {error}") from None


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
