"""Write a pose model as ONNX, OpenVINO IR or a torch.export program, with its description inside."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.export import Dim, ExportedProgram

from transpose.config.exported import DESCRIPTION, SUFFIXES, ExportedDescription, ExportFormat
from transpose.errors import InputError
from transpose.export.network import network_of
from transpose.files import atomic_path, atomic_paths, sha256_of_file
from transpose.pose_model import PoseModel

INPUT = "crops"
_EXAMPLE_BATCH = 2
"""A batch of 1 would become a constant of the program."""


def export_model(model: PoseModel, file_format: ExportFormat, path: Path, package_version: str) -> None:
    """Write a model to a file that takes any number of crops [B, H, W, 3] uint8 RGB, in fp32.

    All formats are written from one `torch.export` program. OpenVINO's weights go into a second file, with the suffix
    .bin.

    Args:
        package_version: version of this package, for the description.

    Raises:
        InputError: the suffix of `path` is not that of the format, or the file cannot be written.
        ModuleNotFoundError: the packages of the extra `onnx` or `openvino` are not installed.
    """
    if path.suffix != SUFFIXES[file_format]:
        raise InputError(f"a file of the format {file_format} ends in {SUFFIXES[file_format]}", file=path)
    write = {"onnx": _write_onnx, "torch.export": _write_program, "openvino": _write_openvino}[file_format]
    text = describe(model, package_version).model_dump_json()
    with _quiet():
        write(program_of(model), text, path)


def describe(model: PoseModel, package_version: str) -> ExportedDescription:
    """Return the description of a model's export."""
    return ExportedDescription(
        variant=model.recipe.name,
        title=model.variant.title,
        input_size=model.variant.input_size,
        heatmap_size=model.variant.heatmap_size,
        output="heatmaps",
        skeleton=model.skeleton,
        protocol=model.protocol,
        weights_sha256=sha256_of_file(model.weights),
        package_version=package_version,
    )


def program_of(model: PoseModel) -> ExportedProgram:
    """Trace the network of a model, with a dynamic batch size."""
    example = torch.zeros(_EXAMPLE_BATCH, *model.variant.input_size, 3, dtype=torch.uint8)
    with torch.no_grad():
        return torch.export.export(network_of(model), (example,), dynamic_shapes={INPUT: {0: Dim("batch")}})


def _write_onnx(program: ExportedProgram, description: str, path: Path) -> None:
    import onnxscript  # noqa: F401 -- needed by PyTorch's exporter; an optional dependency: the extra `onnx`

    exported = torch.onnx.export(
        program,
        input_names=[INPUT],
        output_names=["heatmaps"],
        dynamic_shapes={INPUT: {0: "batch"}},
        dynamo=True,
        verbose=False,
    )
    assert exported is not None  # it returns None only when it writes the file itself
    exported.model.metadata_props[DESCRIPTION] = description
    with atomic_path(path) as temporary:
        exported.save(temporary, external_data=False)


def _write_program(program: ExportedProgram, description: str, path: Path) -> None:
    with atomic_path(path) as temporary:
        torch.export.save(program, temporary, extra_files={DESCRIPTION: description})


def _write_openvino(program: ExportedProgram, description: str, path: Path) -> None:
    import openvino  # an optional dependency: the extra `openvino`

    converted = openvino.convert_model(program)
    converted.set_rt_info(description, DESCRIPTION)
    with atomic_paths(path.with_suffix(".bin"), path) as (weights, topology):
        openvino.serialize(converted, topology, weights)


@contextmanager
def _quiet() -> Iterator[None]:
    """Context manager: hide the exporters' notes on operators that are not used here, and on their own future."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
