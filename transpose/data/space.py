"""Check the free disk space before a long job."""

import shutil
from pathlib import Path

from transpose.errors import InputError


def require_space(path: Path, needed: int) -> None:
    """Check that `needed` bytes fit on the disk of `path`, whose parent folder must exist.

    Raises:
        InputError: too little is free; both numbers are given.
    """
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise InputError(path, None, None, f"needs {_shown(needed)} of disk, but only {_shown(free)} are free")


def _shown(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.2f} MB"
