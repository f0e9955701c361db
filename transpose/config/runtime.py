"""Libraries that run a network for predictions, and the record of the one that did."""

from typing import Literal

from pydantic import Field, NonNegativeFloat

from transpose.config.base import Settings
from transpose.config.training import Dtype

Runtime = Literal["torch", "onnxruntime", "openvino"]

RuntimeChoice = Literal["torch", "onnxruntime", "openvino", "auto"]
"""`auto` measures the installed ones."""

AttentionForm = Literal["fused", "products"]
"""PyTorch's fused kernel, or two matrix products and a softmax."""


class RuntimeUsed(Settings):
    """The library that computed heatmaps."""

    name: Runtime
    version: str
    dtype: Dtype
    attention: AttentionForm | None = Field(
        default=None,
        description="How PyTorch computed attention, chosen by processor and dtype; null in other libraries, and in"
        " networks without an encoder.",
    )
    seconds_per_batch: dict[Runtime, NonNegativeFloat] = Field(
        default={}, description="What `auto` chose by: the fastest pass of each library; empty without a measurement."
    )

    def __str__(self) -> str:
        return f"{self.name} {self.version}"
