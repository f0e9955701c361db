"""Run ONNX models with ONNX Runtime."""

from pathlib import Path
from typing import Any

from transpose.errors import InputError

_ERRORS_ONLY = 3


def open_session(content: bytes, path: Path, threads: int, on_cpu: bool = False) -> Any:
    """Return an `onnxruntime.InferenceSession`, on CUDA if onnxruntime supports it and not `on_cpu`.

    Args:
        content: of an ONNX file.
        path: of the file, for messages.
        threads: CPU threads.

    Raises:
        InputError: onnxruntime cannot load the model.
        ModuleNotFoundError: onnxruntime is not installed.
    """
    import onnxruntime  # an optional dependency: the extras `onnx` and `detector`

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    # Sharp attention has mostly denormal weights, for which a CPU takes several times as long.
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    wanted = ("CPUExecutionProvider",) if on_cpu else ("CUDAExecutionProvider", "CPUExecutionProvider")
    usable = [provider for provider in wanted if provider in onnxruntime.get_available_providers()]
    try:
        return onnxruntime.InferenceSession(content, options, providers=usable)
    except Exception as error:  # onnxruntime's own errors share no base class
        raise InputError(f"onnxruntime cannot load it: {first_line(error)}", file=path) from None


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type if it has none."""
    return (str(error) or type(error).__name__).splitlines()[0]
