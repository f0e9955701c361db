"""The process's memory allocator."""

import ctypes
import platform

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
"""Parameters of glibc's mallopt(3)."""

_NEVER = 2**31 - 1
_STEP_BYTES = 64 * 2**20


def keep_freed_memory() -> None:
    """Keep freed memory in this process and reuse it for the next tensor.

    By default glibc returns each large block to the kernel, and the kernel must fill new pages with zeros. A network's
    activations pay for that in every layer. With another C library, this does nothing.
    """
    if not _is_glibc():
        return
    mallopt = ctypes.CDLL(None).mallopt
    for parameter, value in {_M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: _NEVER, _M_TOP_PAD: _STEP_BYTES}.items():
        mallopt(parameter, value)


def _is_glibc() -> bool:
    return platform.libc_ver()[0] == "glibc"
