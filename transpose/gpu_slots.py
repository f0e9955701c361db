"""Reserve GPUs of this machine for one process, so that jobs at the same time use different ones."""

import fcntl
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from transpose.errors import InputError
from transpose.files import exclusive_lock

_SECONDS_BETWEEN_TRIES = 0.5


def slots_folder() -> Path:
    """Return the folder with a lock file for each GPU, common to all runs of this user on this machine."""
    return Path(tempfile.gettempdir()) / f"transpose-gpus-{os.getuid()}"


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use: those of CUDA_VISIBLE_DEVICES, or all that the driver lists."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [device for device in chosen.split(",") if device.strip()]
    done = subprocess.run(["nvidia-smi", "--list-gpus"], capture_output=True, text=True, check=False)
    return [str(index) for index, _ in enumerate(done.stdout.splitlines())]


def reserve_gpus(
    number: int, devices: Sequence[str], folder: Path, wait: Callable[[float], object] = time.sleep
) -> list[str]:
    """Reserve GPUs until this process ends, however it ends, and make only them visible to it and its children.

    Waits until enough are free. Locks of files are released by the system, so a killed job's GPUs are free at once.

    Args:
        devices: GPUs to choose from, by index or UUID.
        folder: folder of the lock files.

    Raises:
        InputError: there are fewer GPUs than requested.
    """
    if number > len(devices):
        raise InputError(f"{number} were requested, and this machine has {len(devices)}", file="GPUs")
    folder.mkdir(parents=True, exist_ok=True)
    while True:
        # All or nothing, one process at a time: two that each hold half would wait for each other.
        with exclusive_lock(folder / "choose.lock"):
            locked = {device: handle for device in devices if (handle := _lock(folder / f"{device}.lock")) is not None}
            for device in list(locked)[number if len(locked) >= number else 0 :]:
                os.close(locked.pop(device))
        if len(locked) == number:
            break
        wait(_SECONDS_BETWEEN_TRIES)
    for handle in locked.values():
        # A forked process, such as one that loads images, would keep the lock as long as it lives.
        os.register_at_fork(after_in_child=lambda handle=handle: os.close(handle))
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(locked)
    return list(locked)


def _lock(path: Path) -> int | None:
    """Return a handle that holds the lock of a file, or None if another process holds it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
