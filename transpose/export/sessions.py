"""Open exported files with the library of their format."""

from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from transpose.config.exported import DESCRIPTION
from transpose.data.onnx_session import first_line, open_session
from transpose.errors import InputError

Precision = Literal["fp32", "bf16"]
"""Of products and convolutions; in bf16 in OpenVINO only."""


class Session(Protocol):
    """A loaded model."""

    description: str | None
    """The text that the exporter wrote into the file; None in files of other exporters."""

    def run(self, crops: np.ndarray) -> np.ndarray:
        """Return the output for crops [B, H, W, 3] uint8 RGB."""
        ...


def session_of(path: Path, threads: int, on_cpu: bool = False, precision: Precision = "fp32") -> Session:
    """Open an exported file, by its suffix, with a number of CPU threads.

    Args:
        on_cpu: run ONNX files on the CPU, also where onnxruntime supports CUDA.
        precision: bf16 only for OpenVINO's files, on a processor of `openvino_has_bf16`.

    Raises:
        InputError: the file is missing or cannot be loaded.
        ModuleNotFoundError: the library of the format is not installed.
    """
    if not path.is_file():
        raise InputError("no such file", file=path)
    if path.suffix == ".onnx":
        return OnnxSession(path, threads, on_cpu)
    return OpenVinoSession(path, threads, precision) if path.suffix == ".xml" else ProgramSession(path, threads)


def openvino_has_bf16() -> bool:
    """Whether OpenVINO computes in bf16 on this processor; on others it would ignore the precision.

    Raises:
        ModuleNotFoundError: OpenVINO is not installed.
    """
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


class OnnxSession:
    """An ONNX file in ONNX Runtime."""

    def __init__(self, path: Path, threads: int, on_cpu: bool = False) -> None:
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputError(f"cannot be read: {error}", file=path) from None
        self._session = open_session(content, path, threads, on_cpu)
        self._input = self._session.get_inputs()[0].name
        self.description: str | None = self._session.get_modelmeta().custom_metadata_map.get(DESCRIPTION)

    def run(self, crops: np.ndarray) -> np.ndarray:
        """See `Session`."""
        return self._session.run(None, {self._input: crops})[0]


class OpenVinoSession:
    """OpenVINO IR on the CPU."""

    def __init__(self, path: Path, threads: int, precision: Precision = "fp32") -> None:
        import openvino  # an optional dependency: the extra `openvino`

        weights = path.with_suffix(".bin")
        if not weights.is_file():
            raise InputError("no such file; it has the weights of the .xml file", file=weights)
        core = openvino.Core()
        hints = {
            "INFERENCE_NUM_THREADS": threads,
            # Without it, processors with bf16 instructions compute in bf16.
            "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
            "CPU_DENORMALS_OPTIMIZATION": True,  # see `open_session`
            "ENABLE_CPU_PINNING": False,  # else processes that run at the same time are pinned to the same cores
        }
        try:
            model = core.read_model(path, weights)
            self._compiled = core.compile_model(model, "CPU", hints)
        except RuntimeError as error:
            problem = str(error).strip().splitlines()[-1]  # the lines before name OpenVINO's source files
            raise InputError(f"OpenVINO cannot load it: {problem}", file=path) from None
        found = model.has_rt_info(DESCRIPTION)
        self.description: str | None = model.get_rt_info(DESCRIPTION).astype(str) if found else None

    def run(self, crops: np.ndarray) -> np.ndarray:
        """See `Session`."""
        return self._compiled(crops)[0].copy()


class ProgramSession:
    """A torch.export program, on the CPU."""

    def __init__(self, path: Path, threads: int) -> None:
        import torch

        extra: dict[str, Any] = {DESCRIPTION: ""}
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)
        try:
            self._program = torch.export.load(path, extra_files=extra).module()
        except Exception as error:  # PyTorch raises many types for damaged archives
            raise InputError(f"PyTorch cannot load it: {first_line(error)}", file=path) from None
        self.description: str | None = extra[DESCRIPTION] or None

    def run(self, crops: np.ndarray) -> np.ndarray:
        """See `Session`."""
        import torch

        with torch.inference_mode():
            return self._program(torch.from_numpy(crops)).numpy()
