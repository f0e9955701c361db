"""Memory that the processes of a training share."""

import mmap
import os
import sys
import tempfile
import weakref
from multiprocessing.reduction import DupFd
from typing import Any

import numpy as np


class SharedBytes:
    """An array of zeros that is shared with processes started later, by fork or with a pickled copy.

    Pages that are not written take no memory. A container's limit of /dev/shm does not apply.
    """

    def __init__(self, size: int) -> None:
        """Make an array [size] uint8."""
        handle = _unnamed_file()
        os.ftruncate(handle, size + 1)
        self._map(handle, size)

    def _map(self, handle: int, size: int) -> None:
        memory = mmap.mmap(handle, size + 1)
        # The mapping has its own copy of the handle, but no way to ask for it.
        weakref.finalize(self, os.close, handle)
        self._handle = handle
        self.array = np.frombuffer(memory, dtype=np.uint8)[:size]

    def __getstate__(self) -> dict[str, Any]:
        """Return the size and a handle that multiprocessing passes to the other process."""
        return {"size": len(self.array), "handle": DupFd(self._handle)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Map the same memory."""
        self._map(state["handle"].detach(), state["size"])


def _unnamed_file() -> int:
    if sys.platform == "linux":
        return os.memfd_create("transpose")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
