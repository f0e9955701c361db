"""Run the network of a pose model in the library that its protocol chooses."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import torch

from transpose.config.exported import ExportFormat
from transpose.config.runtime import Runtime, RuntimeUsed
from transpose.data.onnx_session import first_line
from transpose.device import DeviceContext
from transpose.errors import InputError
from transpose.export.cached import cached_export
from transpose.export.network import OtherSize, variant_at
from transpose.export.sessions import openvino_has_bf16, session_of
from transpose.inference.runtime import CropsToHeatmaps, NetworkRuntime
from transpose.pose_model import PoseModel
from transpose.timing import seconds_of

_FORMATS: Mapping[Runtime, ExportFormat] = {"onnxruntime": "onnx", "openvino": "openvino"}
_LEAST_ROUNDS, _MOST_ROUNDS, _SECONDS_OF_ROUNDS = 2, 5, 1.0


def in_chosen_runtime(model: PoseModel, other: OtherSize | None = None) -> PoseModel:
    """Return a model with its network in the library of its protocol's key `runtime`.

    `auto` times one pass of PyTorch and of each other library that can run the network on a batch of noise, and takes
    the fastest.

    Args:
        other: input size of the crops; that of the training by default. The position embedding of `model.network` has
            been adapted already.

    Raises:
        InputError: the library is not installed, does not support the device or dtype, or cannot load the network.
    """
    choice = model.protocol.runtime
    if choice == "torch":
        return model
    if choice == "auto":
        return _fastest(model, [name for name in _FORMATS if _obstacle(name, model.context) is None], other)
    if (obstacle := _obstacle(choice, model.context)) is not None:
        raise InputError(f"{obstacle}; or use torch", file="runtime", record=choice)
    return _in_library(model, choice, other)


def _obstacle(name: Runtime, context: DeviceContext) -> str | None:
    """Return why a library other than PyTorch cannot run a network as in this context, or None."""
    missing = [package for package in (name, "onnxscript") if find_spec(package) is None]
    if missing:
        return f"needs {' and '.join(missing)}: pip install 'transpose-pipeline[onnx,openvino]'"
    if context.device.type != "cpu":
        return f"runs on a CPU, and this runs on {context.device.type}"
    if context.compiled:
        return "cannot run a network that is compiled"
    if context.dtype == "bf16" and name == "openvino":
        return None if openvino_has_bf16() else "this processor has no bf16 instructions; use fp32"
    return None if context.dtype == "fp32" else f"computes in fp32, and dtype is {context.dtype}"


def _in_library(model: PoseModel, name: Runtime, other: OtherSize | None) -> PoseModel:
    file, dtype = cached_export(model, _FORMATS[name], other), model.context.dtype
    session = session_of(file, model.context.threads, on_cpu=True, precision="bf16" if dtype == "bf16" else "fp32")
    used = RuntimeUsed(name=name, version=import_module(name).__version__, dtype=dtype)
    return replace(model, runtime=NetworkRuntime(used, _with_one_line(name, session.run)))


def _with_one_line(name: Runtime, run: CropsToHeatmaps) -> CropsToHeatmaps:
    """Report any error of a library as bad input; the libraries' own errors share no base class."""

    def with_one_line(crops: np.ndarray) -> np.ndarray:
        try:
            return run(crops)
        except Exception as error:
            raise InputError(f"failed: {first_line(error)}", file="runtime", record=name) from None

    return with_one_line


def _fastest(model: PoseModel, others: Sequence[Runtime], other: OtherSize | None) -> PoseModel:
    """Return the model in the fastest library, PyTorch or one of the others, with the time of each."""
    if not others:
        return model
    models = [model, *(_in_library(model, name, other) for name in others)]
    shape = (model.protocol.batch_size, *variant_at(model, other).input_size, 3)
    crops = torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    one_pass = model.protocol.model_copy(update={"flip_test": False})
    passes = [partial(replace(one, protocol=one_pass).predict_heatmaps, crops) for one in models]
    # Other processes do not count in processor time, which is elapsed time with one thread only.
    clock = time.process_time if model.context.threads == 1 else time.perf_counter
    seconds = _fastest_calls(passes, clock)
    fastest = models[seconds.index(min(seconds))].runtime
    measured = {one.runtime.used.name: round(taken, 5) for one, taken in zip(models, seconds, strict=True)}
    used = fastest.used.model_copy(update={"seconds_per_batch": measured})
    return replace(model, runtime=replace(fastest, used=used))


def _fastest_calls(calls: Sequence[Callable[[], object]], clock: Callable[[], float]) -> list[float]:
    """Return the seconds of the fastest of a few interleaved calls of each, after a first one that is not timed."""
    for call in calls:
        call()
    rounds: list[list[float]] = []
    while len(rounds) < _LEAST_ROUNDS or (len(rounds) < _MOST_ROUNDS and sum(map(sum, rounds)) < _SECONDS_OF_ROUNDS):
        rounds.append([seconds_of(call, clock) for call in calls])
    return [min(times) for times in zip(*rounds, strict=True)]
