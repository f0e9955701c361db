"""Benchmarks of exported files in the libraries that are installed."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import transpose
from transpose.benchmark.networks import BenchmarkedNetwork, Form
from transpose.benchmark.worker import Work
from transpose.config.exported import SUFFIXES, ExportFormat
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.config.training import Training
from transpose.export.sessions import session_of
from transpose.export.write import export_model
from transpose.models.weights import save_weights
from transpose.pose_model import PoseModel
from transpose.skeleton import COCO_PERSON

_LIBRARIES: Mapping[str, tuple[str, ExportFormat]] = {
    "ONNX Runtime": ("onnxruntime", "onnx"),
    "OpenVINO": ("openvino", "openvino"),
}


@contextmanager
def exported_files(network: BenchmarkedNetwork) -> Iterator[Mapping[str, Path]]:
    """Context manager: yield the network as a file for each installed library, by the library's name.

    Files are deleted on exit.

    Raises:
        ModuleNotFoundError: no library is installed, or not what the export needs.
    """
    formats: dict[str, ExportFormat] = {
        name: file_format for name, (package, file_format) in _LIBRARIES.items() if find_spec(package)
    }
    if not formats:
        formats["ONNX Runtime"] = "onnx"  # the export names what is missing
    with tempfile.TemporaryDirectory() as temporary:
        weights = Path(temporary) / "weights.safetensors"
        save_weights(network.model(), weights, {})
        recipe = Recipe(name="benchmark", variant=network.variant, training=Training(device="cpu"))
        model = PoseModel.from_weights(recipe, weights, COCO_PERSON, EvalProtocol())
        files = {name: weights.with_suffix(SUFFIXES[one]) for name, one in formats.items()}
        for name, path in files.items():
            export_model(model, formats[name], "heatmaps", path, transpose.__version__)
        yield files


def exported_forms(network: BenchmarkedNetwork, files: Mapping[str, Path]) -> list[Form]:
    """Return a form for each of the network's exported files."""
    return [Form(f"{name}, fp32", partial(exported_inference, network, path)) for name, path in files.items()]


def exported_inference(network: BenchmarkedNetwork, path: Path) -> Work:
    """Return a forward pass of an exported file, from crops as uint8."""
    return partial(session_of(path, network.threads).run, network.crops().numpy())
