"""Disk errors and too little free space, reported in one line like other errors that a user can fix."""

import errno
import shutil
from pathlib import Path

from transpose.errors import InputError

_PROBLEMS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EFBIG: "the file size limit is reached",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EIO: "the disk failed (input/output error)",
    errno.ESTALE: "the network disk lost the file (stale file handle)",
    errno.ENOTDIR: "a file of this name is in the way",
    errno.EISDIR: "a folder of this name is in the way",
    errno.ENAMETOOLONG: "the name is too long",
}
"""Errors caused by the disk or by a path that a user chose; any other OSError is a bug."""


def disk_problem(error: OSError) -> str | None:
    """Describe a disk error; None if the error has another cause."""
    return _PROBLEMS.get(error.errno) if error.errno is not None else None


def disk_error(error: OSError) -> InputError | None:
    """Return a disk error as an InputError that names the file; None if the error has another cause."""
    problem = disk_problem(error)
    if problem is None:
        return None
    return InputError(f"cannot be read or written: {problem}", file=error.filename or "a file")


def write_problem(error: OSError) -> str:
    """Describe why a file was not written, as `disk_problem` or else the system does."""
    return disk_problem(error) or error.strerror or str(error)


def require_space(path: Path, needed: int) -> None:
    """Check that `needed` bytes fit on the disk of `path`, whose parent folder must exist.

    Raises:
        InputError: too little is free; both numbers are given.
    """
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise InputError(f"needs {_shown(needed)} of disk, but only {_shown(free)} are free", file=path)


def _shown(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.2f} MB"
