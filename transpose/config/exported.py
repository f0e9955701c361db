"""The description inside an exported model file: everything that predicting with the file needs."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from transpose.config.base import Settings, Size
from transpose.config.download import Sha256
from transpose.config.study import EvalProtocol
from transpose.skeleton import Skeleton

ExportFormat = Literal["onnx", "torch.export", "openvino"]
ExportReturns = Literal["heatmaps", "keypoints"]

DESCRIPTION = "transpose"
"""Name of the description in a file's metadata."""

SUFFIXES: dict[ExportFormat, str] = {"onnx": ".onnx", "torch.export": ".pt2", "openvino": ".xml"}
"""Suffix of the files of each format."""


class ExportedDescription(Settings):
    """Description of an exported model."""

    variant: str = Field(description="Name of the variant.")
    title: str = Field(description="Name of the variant in tables and figures.")
    input_size: Size
    heatmap_size: Size
    returns: ExportReturns = Field(
        description="Heatmaps of the crops as they are, or keypoints by the protocol, with flip test and decoding."
    )
    skeleton: Skeleton
    protocol: EvalProtocol
    weights_sha256: Sha256
    package_version: str


def is_exported(source: str | Path) -> bool:
    """Whether the name of a model is that of an exported file."""
    return Path(source).suffix in SUFFIXES.values()
