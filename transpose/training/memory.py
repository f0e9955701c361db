"""What to do when a GPU's memory is full."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from transpose.errors import InputError


@contextmanager
def memory_for(key: str, batch_size: int) -> Iterator[None]:
    """While entered, a full GPU memory is the fault of `batch_size`, a value of the study named `key`.

    Raises:
        InputError: the memory does not suffice.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise InputError(
            key, batch_size, None, f"the GPU's memory is full with a batch of {batch_size}; lower {key} in the study"
        ) from None
