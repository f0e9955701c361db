"""Report full memory as bad input."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

from transpose.errors import InputError

_WORDS_OF_A_GPU = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
"""Messages of CUDA and its libraries for allocations outside PyTorch's allocator."""


@contextmanager
def memory_for(key: str, value: object, circumstance: str | None = None) -> Iterator[None]:
    """Context manager: re-raise out-of-memory errors as an InputError that names a key of the study.

    Args:
        key: the key to change, such as that of a batch size.
        value: its value.
        circumstance: when memory is full and what to do; by default a batch of `value` and to lower it.

    Raises:
        InputError: memory of the GPU or the machine is full.
    """
    try:
        yield
    except RuntimeError as error:
        if (whose := _whose_memory(error)) is None:
            raise
        circumstance = circumstance or f"with a batch of {value}; lower {key} in the study"
        raise InputError(f"the {whose}'s memory is full {circumstance}", file=key, record=value) from None


def _whose_memory(error: RuntimeError) -> Literal["GPU", "machine"] | None:
    """Return which memory is full; None for any other error."""
    words = str(error)
    if isinstance(error, torch.OutOfMemoryError) or any(sign in words for sign in _WORDS_OF_A_GPU):
        return "GPU"
    # PyTorch has no separate exception type for CPU memory.
    return "machine" if "DefaultCPUAllocator: " in words else None
