"""Report full memory as bad input."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from transpose.errors import InputError

_WORDS_OF_A_GPU = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
"""Messages of CUDA and its libraries for allocations outside PyTorch's allocator."""


@contextmanager
def memory_for(key: str, batch_size: int) -> Iterator[None]:
    """Context manager: re-raise out-of-memory errors as an InputError that names the batch size key.

    Raises:
        InputError: memory of the GPU or the machine is full.
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
    """Context manager: re-raise out-of-memory errors before the first batch as an InputError.

    Raises:
        InputError: memory of the GPU or the machine is full.
    """
    try:
        yield
    except RuntimeError as error:
        if (whose := _whose_memory(error)) is None:
            raise
        problem = f"the {whose}'s memory is full before the first batch; is another process using it?"
        raise InputError("device", device, None, problem) from None


def _whose_memory(error: RuntimeError) -> Literal["GPU", "machine"] | None:
    """Return which memory is full; None for any other error."""
    words = str(error)
    if isinstance(error, torch.OutOfMemoryError) or any(sign in words for sign in _WORDS_OF_A_GPU):
        return "GPU"
    # PyTorch has no separate exception type for CPU memory.
    return "machine" if "DefaultCPUAllocator: " in words else None
