"""What to do when memory is full."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from transpose.errors import InputError

_WORDS_OF_A_GPU = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
"""How CUDA and its libraries tell of it where PyTorch's allocator is not asked."""


@contextmanager
def memory_for(key: str, batch_size: int) -> Iterator[None]:
    """While entered, a full memory, a GPU's or the machine's, is the fault of `batch_size`, a value named `key`.

    Raises:
        InputError: the memory does not suffice.
    """
    try:
        yield
    except RuntimeError as error:
        if (whose := _whose_memory(error)) is None:
            raise
        problem = f"the {whose}'s memory is full with a batch of {batch_size}; lower {key} in the study"
        raise InputError(key, batch_size, None, problem) from None


@contextmanager
def memory_for_model(device: torch.device) -> Iterator[None]:
    """While entered, a full memory is the fault of whatever else lies on the device: there is no batch yet.

    Raises:
        InputError: the memory does not suffice.
    """
    try:
        yield
    except RuntimeError as error:
        if (whose := _whose_memory(error)) is None:
            raise
        problem = f"the {whose}'s memory is full before the first batch; does another process fill it?"
        raise InputError("device", device, None, problem) from None


def _whose_memory(error: RuntimeError) -> Literal["GPU", "machine"] | None:
    """Whose memory is full; None for any other error."""
    words = str(error)
    if isinstance(error, torch.OutOfMemoryError) or any(sign in words for sign in _WORDS_OF_A_GPU):
        return "GPU"
    # PyTorch has no type of its own for what the CPU lacks.
    return "machine" if "DefaultCPUAllocator: " in words else None
