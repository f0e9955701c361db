"""Size and speed of a network, as measured and cached."""

from typing import Literal

from pydantic import NonNegativeInt, PositiveFloat

from transpose.config.base import Settings

DeviceKind = Literal["GPU", "CPU"]


class Work(Settings):
    """Parameters and operations of a network, and the memory of a training step."""

    parameters: NonNegativeInt
    """Trained numbers; a fixed position embedding does not count."""
    macs: NonNegativeInt
    """Multiply-accumulates of convolutions and matrix products of a forward pass of one crop."""
    kept_bytes: NonNegativeInt
    """Bytes that autograd keeps of one batch for the backward pass, without the weights."""


class Speed(Settings):
    """Operations of forward passes per second, a multiply-accumulate being two."""

    training: PositiveFloat
    """While training: the time of the backward pass and the optimiser counts, their operations do not."""
    inference: PositiveFloat
