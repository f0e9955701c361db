"""The process's memory allocator."""

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
"""Parameters of glibc's mallopt(3)."""

_NEVER = 2**31 - 1
_STEP_BYTES = 64 * 2**20


def keep_freed_memory() -> None:
    """Have this process keep the memory that it frees, for the next tensor of that size.

    By default glibc returns each large block to the kernel, which hands it back in pages of zeros that must be written
    first: a network's activations pay for that in every layer. Nothing happens where the C library is another one.
    """
    if not _is_glibc():
        return
    mallopt = ctypes.CDLL(None).mallopt
    for parameter, value in {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: _NEVER, _M_TOP_PAD: _STEP_BYTES}.items():
        mallopt(parameter, value)


def _is_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"
