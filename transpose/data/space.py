"""Room on the disk, asked for before a long job rather than missed at its end."""

import shutil
from pathlib import Path

from transpose.errors import InputError


def require_space(path: Path, needed: int) -> None:
    """Check that `needed` bytes fit on the disk that holds the folder of `path`, which exists.

    Raises:
        InputError: too little is free; both figures are named.
    """
    free = shutil.disk_usage(path.parent).free
    if needed > free:
        raise InputError(path, None, None, f"needs {_shown(needed)} of disk, but only {_shown(free)} are free")


def _shown(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.2f} MB"
