"""Report full memory as bad input."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from transpose.errors import InputError

_WORDS_OF_A_GPU = ("out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
"""Messages of PyTorch, CUDA and its libraries; the first one covers PyTorch's own allocator on every kind of GPU."""
_WORDS_OF_THE_MACHINE = re.compile(
    r"DefaultCPUAllocator: "  # PyTorch has no separate exception type for CPU memory
    r"|Caught \w*MemoryError in DataLoader worker"
    r"|failed to map segment from shared object"  # a library that does not fit
)


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
    except (MemoryError, RuntimeError) as error:
        if (whose := _whose_memory(error)) is None:
            raise
        circumstance = circumstance or f"with a batch of {value}; lower {key} in the study"
        raise InputError(f"the {whose}'s memory is full {circumstance}", file=key, record=value) from None


def full_memory(error: Exception) -> str | None:
    """Return the message for full memory of the GPU or the machine; None for any other error."""
    if (whose := _whose_memory(error)) is None:
        return None
    size = re.search(r"allocate ([\d.]+ \w+)", str(error))
    needed = f" ({size[1]} more did not fit)" if size else ""
    advice = f"end other programs or use a {whose} with more memory, and run the same command again"
    return f"the {whose}'s memory is full{needed}; {advice}"


def _whose_memory(error: Exception) -> Literal["GPU", "machine"] | None:
    """Return which memory is full; None for any other error."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return "machine"
    words = str(error)
    if _WORDS_OF_THE_MACHINE.search(words):
        return "machine"
    return "GPU" if any(sign in words for sign in _WORDS_OF_A_GPU) else None
