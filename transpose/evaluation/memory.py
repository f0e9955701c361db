"""What to do when memory is full."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from transpose.errors import InputError


@contextmanager
def memory_for(key: str, batch_size: int) -> Iterator[None]:
    """While entered, a full memory, a GPU's or the machine's, is the fault of `batch_size`, a value named `key`.

    Raises:
        InputError: the memory does not suffice.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise _full("GPU", key, batch_size) from None
    except RuntimeError as error:
        # PyTorch has no type of its own for what the CPU lacks.
        if "DefaultCPUAllocator: " not in str(error):
            raise
        raise _full("machine", key, batch_size) from None


def _full(whose: str, key: str, batch_size: int) -> InputError:
    problem = f"the {whose}'s memory is full with a batch of {batch_size}; lower {key} in the study"
    return InputError(key, batch_size, None, problem)
