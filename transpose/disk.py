"""A disk that does not take a file: told in one line, as whatever else a user can mend."""

import errno

from transpose.errors import InputError

_PROBLEMS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the disk is read-only",
    errno.EFBIG: "the limit of a file's size is reached",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EIO: "the disk fails (input/output error)",
    errno.ESTALE: "the network disk lost it (stale file handle)",
    errno.ENOTDIR: "a file stands where a folder should",
    errno.EISDIR: "a folder of this name is in the way",
    errno.ENAMETOOLONG: "the name is too long",
}
"""What disks and paths that a user chose can do to a right program; any other error is a mistake in it."""


def disk_problem(error: OSError) -> str | None:
    """What is wrong with the disk, in words; None where the error is not the disk's."""
    return _PROBLEMS.get(error.errno) if error.errno is not None else None


def disk_error(error: OSError) -> InputError | None:
    """The error as bad input that names the file, for whoever does not know which one was meant; None as above."""
    problem = disk_problem(error)
    if problem is None:
        return None
    return InputError(error.filename or "a file", None, None, f"cannot be read or written: {problem}")


def write_problem(error: OSError) -> str:
    """What kept a file from being written, in the words of `disk_problem` or else of the system."""
    return disk_problem(error) or error.strerror or str(error)
