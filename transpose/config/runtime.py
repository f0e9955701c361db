"""Libraries that run a network for predictions, and the record of the one that did."""

from typing import Literal

from pydantic import Field, NonNegativeFloat

from transpose.config.base import Settings

Runtime = Literal["torch", "onnxruntime", "openvino"]

RuntimeChoice = Literal["torch", "onnxruntime", "openvino", "auto"]
"""`auto` measures the installed ones."""


class RuntimeUsed(Settings):
    """The library that computed heatmaps."""

    name: Runtime
    version: str
    seconds_per_batch: dict[Runtime, NonNegativeFloat] = Field(
        default={}, description="What `auto` chose by: the fastest pass of each library; empty without a measurement."
    )

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
