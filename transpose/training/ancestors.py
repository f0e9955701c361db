"""Who started a command, and whether they are still there to hear how it ended."""

import psutil


class Ancestors:
    """The living processes that this one descends from, as they are when this is made."""

    def __init__(self) -> None:
        self._processes = psutil.Process().parents()

    def all_live(self) -> bool:
        """Whether none of them has ended since."""
        return all(_lives(process) for process in self._processes)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
