"""A detector's model, ready to run."""

import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from transpose.config.dataset import DetectorBoxes
from transpose.data.detector.signature import Persons, check_inputs, reader_of
from transpose.errors import InputError


class DetectorModel:
    """An ONNX model of the YOLOX family that finds persons on a canvas."""

    def __init__(self, path: Path, settings: DetectorBoxes) -> None:
        """Load the .onnx file, or the one inside a .zip, for the CPU (or for CUDA, where onnxruntime-gpu has it).

        Raises:
            InputError: onnxruntime is not installed, the file is no model, or its input or outputs are not YOLOX's.
        """
        self.path = path
        self._session = _open_session(path, settings.threads)
        inputs = self._session.get_inputs()
        check_inputs([entry.shape for entry in inputs], settings.input_size, path)
        self._input = inputs[0].name
        shapes = [output.shape for output in self._session.get_outputs()]
        self._read = reader_of(shapes, settings.input_size, settings.score_threshold, path)

    def find(self, canvas: np.ndarray) -> Persons:
        """Persons on a canvas [3, H, W] (float32 BGR, 0 to 255).

        Raises:
            InputError: the model fails, or gives something else than its outputs' shapes promise.
        """
        try:
            outputs = self._session.run(None, {self._input: canvas[None]})
        except Exception as error:  # onnxruntime's own errors share no base class
            raise InputError(self.path, None, None, f"the model fails: {_first_line(error)}") from None
        return self._read(outputs)


def _open_session(path: Path, threads: int) -> Any:
    runtime = _runtime(path)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
    usable = [provider for provider in wanted if provider in runtime.get_available_providers()]
    content = _model_bytes(path)
    try:
        return runtime.InferenceSession(content, options, providers=usable)
    except Exception as error:  # onnxruntime's own errors share no base class
        raise InputError(path, None, None, f"onnxruntime cannot load it: {_first_line(error)}") from None


def _runtime(path: Path) -> ModuleType:
    try:
        import onnxruntime
    except ImportError:
        problem = "a detector needs onnxruntime, which is not installed: pip install 'transpose-pipeline[detector]'"
        raise InputError(path, None, None, problem) from None
    return onnxruntime


def _model_bytes(path: Path) -> bytes:
    """The model in a file, which may be a zip archive with one .onnx file in it."""
    try:
        if not zipfile.is_zipfile(path):
            return path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".onnx")]
            if len(names) != 1:
                raise InputError(path, None, None, f"the archive holds {len(names)} .onnx files, not one")
            return archive.read(names[0])
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(path, None, None, f"cannot be read: {error}") from None


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
