"""Record of a model's cost: parameters, multiply-accumulates, and time and memory of forward passes.

Apart from the measurement, so that tables read it without PyTorch.
"""

from typing import Literal

from transpose.config.base import Settings


class Parameters(Settings):
    """Numbers of parameters. The published counts match `total`, which includes the fixed sine embedding."""

    total: int
    trainable: int
    fixed_position_embedding: int


class Operations(Settings):
    """Multiply-accumulates of one person crop, forward, without the mirrored pass of the flip test.

    `macs` counts convolutions and matrix products. `macs_as_published` follows the tool that the paper's "GFLOPs" come
    from: a transposed convolution is counted on its output grid (stride^2 times too much), and elementwise operations
    are added (batch norm 4 per element, softmax 5 and its dropout 1, sums and scalings 1).
    """

    macs: int
    macs_as_published: int


class Timing(Settings):
    """Seconds of forward passes of one batch; `images_per_second` uses the median."""

    batch_size: int
    repeats: int
    median_seconds: float
    fastest_seconds: float
    slowest_seconds: float
    images_per_second: float
    peak_memory_bytes: int


class CostReport(Settings):
    """All measurements, and the machine that they were made on."""

    input_size: tuple[int, int]
    parameters: Parameters
    operations: Operations
    dtype: Literal["float32"]
    threads: int
    memory_kind: Literal["cuda_allocated", "process_resident"]
    timings: tuple[Timing, ...]
    machine: dict[str, str]
