"""Write a pose model as ONNX, OpenVINO IR or a torch.export program, with its description inside."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.export import Dim, ExportedProgram

from transpose.config.exported import DESCRIPTION, SUFFIXES, ExportedDescription, ExportFormat, ExportReturns
from transpose.errors import InputError
from transpose.export.network import OtherSize, network_of, variant_at
from transpose.files import atomic_path, atomic_paths, sha256_of_file
from transpose.pose_model import PoseModel

INPUT = "crops"
_EXAMPLE_BATCH = 2
"""A batch of 1 would become a constant of the program."""


def export_model(
    model: PoseModel,
    file_format: ExportFormat,
    returns: ExportReturns,
    path: Path,
    package_version: str,
    other: OtherSize | None = None,
) -> None:
    """Write a model to a file that takes any number of crops [B, H, W, 3] uint8 RGB, in fp32.

    All formats are written from one `torch.export` program. OpenVINO's weights go into a second file, with the suffix
    .bin.

    Args:
        returns: heatmaps [B, K, h, w] of the network, or keypoints [B, K, 3] by the protocol: x, y in crop pixels and
            score.
        package_version: version of this package, for the description.
        other: input size; that of the training by default.

    Raises:
        InputError: the suffix of `path` is not that of the format, or the file cannot be written.
        ModuleNotFoundError: the packages of the extra `onnx` or `openvino` are not installed.
    """
    if path.suffix != SUFFIXES[file_format]:
        raise InputError(f"a file of the format {file_format} ends in {SUFFIXES[file_format]}", file=path)
    description = describe(model, returns, package_version, other)
    with _quiet():
        _import_packages(file_format)  # tracing takes seconds
        program = program_of(model, returns, other)
        if file_format == "torch.export":
            _write_program(program, description, path)
        elif file_format == "onnx":
            _write_onnx(program, description, path)
        else:
            _write_openvino(program, description, path)


def describe(
    model: PoseModel, returns: ExportReturns, package_version: str, other: OtherSize | None = None
) -> ExportedDescription:
    """Return the description of a model's export."""
    variant = variant_at(model, other)
    return ExportedDescription(
        variant=model.recipe.name,
        title=variant.title,
        input_size=variant.input_size,
        heatmap_size=variant.heatmap_size,
        returns=returns,
        skeleton=model.skeleton,
        protocol=model.protocol,
        weights_sha256=sha256_of_file(model.weights),
        package_version=package_version,
    )


def program_of(model: PoseModel, returns: ExportReturns, other: OtherSize | None = None) -> ExportedProgram:
    """Trace the network of a model, with a dynamic batch size."""
    example = torch.zeros(_EXAMPLE_BATCH, *variant_at(model, other).input_size, 3, dtype=torch.uint8)
    network = network_of(model, returns, other)
    with torch.no_grad():
        return torch.export.export(network, (example,), dynamic_shapes={INPUT: {0: Dim("batch")}})


def _import_packages(file_format: ExportFormat) -> None:
    """Import the packages of the extras `onnx` and `openvino`.

    Raises:
        ModuleNotFoundError: one is not installed.
    """
    if file_format != "torch.export":
        import onnxscript  # noqa: F401 -- PyTorch's exporter imports it
    if file_format == "openvino":
        import openvino  # noqa: F401


def _write_program(program: ExportedProgram, description: ExportedDescription, path: Path) -> None:
    with atomic_path(path) as temporary:
        torch.export.save(program, temporary, extra_files={DESCRIPTION: description.model_dump_json()})


def _write_onnx(program: ExportedProgram, description: ExportedDescription, path: Path) -> None:
    content = _to_onnx(program, description)
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def _write_openvino(program: ExportedProgram, description: ExportedDescription, path: Path) -> None:
    import openvino

    # From ONNX, and not by `openvino.convert_model`, which sends usage statistics over the network.
    converted = openvino.Core().read_model(io.BytesIO(_to_onnx(program, description)))
    converted.set_rt_info(description.model_dump_json(), DESCRIPTION)
    with atomic_paths(path.with_suffix(".bin"), path) as (weights, topology):
        openvino.serialize(converted, topology, weights)


def _to_onnx(program: ExportedProgram, description: ExportedDescription) -> bytes:
    """Return the content of an ONNX file."""
    exported = torch.onnx.export(
        program,
        input_names=[INPUT],
        output_names=[description.returns],
        dynamic_shapes={INPUT: {0: "batch"}},
        dynamo=True,
        verbose=False,
    )
    assert exported is not None  # None is returned only if a file is written
    exported.model.metadata_props[DESCRIPTION] = description.model_dump_json()
    return exported.model_proto.SerializeToString()


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
