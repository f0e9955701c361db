"""Benchmarks of exported files in the libraries that are installed, and of the model in the fastest one."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import transpose
from transpose.benchmark.networks import BenchmarkedNetwork, Form
from transpose.benchmark.worker import Work
from transpose.config.exported import SUFFIXES, ExportFormat
from transpose.config.recipe import Recipe
from transpose.config.study import EvalProtocol
from transpose.config.training import Dtype, Training
from transpose.export.runtime import in_chosen_runtime
from transpose.export.sessions import Precision, openvino_has_bf16, session_of
from transpose.export.write import export_model
from transpose.models.weights import save_weights
from transpose.pose_model import PoseModel
from transpose.skeleton import COCO_PERSON

_LIBRARIES: Mapping[str, tuple[str, ExportFormat]] = {
    "ONNX Runtime": ("onnxruntime", "onnx"),
    "OpenVINO": ("openvino", "openvino"),
}


@dataclass(frozen=True)
class ExportedFiles:
    """A network as a file for each installed library."""

    recipe: Recipe
    weights: Path
    by_library: Mapping[str, Path]


@contextmanager
def exported_files(network: BenchmarkedNetwork) -> Iterator[ExportedFiles]:
    """Context manager: yield the network as a file for each installed library.

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
        yield ExportedFiles(recipe, weights, files)


def exported_forms(network: BenchmarkedNetwork, files: ExportedFiles, dtypes: Sequence[Dtype]) -> Iterator[Form]:
    """Yield a form for each library and dtype that it computes in, and for the model with `runtime: auto`.

    In bf16, only OpenVINO on a processor with instructions for it.
    """
    for dtype in dtypes:
        precision: Precision = "bf16" if dtype == "bf16" else "fp32"
        for name, path in files.by_library.items():
            if precision == "fp32" or (path.suffix == SUFFIXES["openvino"] and openvino_has_bf16()):
                yield Form(f"{name}, {dtype}", partial(exported_inference, network, path, precision), dtype)
        auto = partial(runtime_inference, network, files.recipe, files.weights, dtype)
        yield Form(f"runtime auto, {dtype}", auto, dtype)


def exported_inference(network: BenchmarkedNetwork, path: Path, precision: Precision) -> Work:
    """Return a forward pass of an exported file, from crops as uint8."""
    session = session_of(path, network.threads, precision=precision)
    return partial(session.run, network.crops().numpy())


def runtime_inference(network: BenchmarkedNetwork, recipe: Recipe, weights: Path, dtype: Dtype) -> Work:
    """Return a prediction of heatmaps from crops as uint8, without flip test, by a model with `runtime: auto`."""
    os.environ["XDG_CACHE_HOME"] = str(weights.parent)  # exports of random weights are not for later
    protocol = EvalProtocol(
        flip_test=False, batch_size=network.batch_size, threads=network.threads, dtype=dtype, runtime="auto"
    )
    model = in_chosen_runtime(PoseModel.from_weights(recipe, weights, COCO_PERSON, protocol))
    return partial(model.predict_heatmaps, network.crops())
