"""A separate file system that tests fill up or make read-only."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SmallDisk:
    """A mounted file system; `folder` is empty at first."""

    folder: Path

    def leave(self, free: int) -> None:
        """Fill the disk up to `free` bytes; what filled it before makes way first."""
        self.clear()
        status = os.statvfs(self.folder)
        with self._filler.open("wb") as stream:
            os.posix_fallocate(stream.fileno(), 0, max(status.f_bavail * status.f_frsize - free, 1))

    def clear(self) -> None:
        """Make room again."""
        self._filler.unlink(missing_ok=True)

    def forbid_writing(self) -> None:
        """Make the disk read-only."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)

    def files(self) -> dict[str, bytes]:
        """What it holds, but for what fills it, by relative path."""
        paths = [path for path in self.folder.rglob("*") if path.is_file() and path != self._filler]
        return {str(path.relative_to(self.folder)): path.read_bytes() for path in paths}

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"
