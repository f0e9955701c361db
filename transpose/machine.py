"""What is known of this machine without importing torch."""

import os
import platform
import shutil
from collections.abc import Iterable
from contextlib import suppress
from importlib import metadata
from pathlib import Path

GIVEN_THREADS = "OMP_NUM_THREADS"
"""Environment variable with the CPU threads of a process."""


def cpu_name() -> str:
    """Return the processor's model name, or its architecture where the system does not say."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def describe_software(distributions: Iterable[str]) -> dict[str, str]:
    """Return processor, platform, and versions of Python and of those distributions that are installed."""
    found = {"cpu": cpu_name(), "platform": platform.platform(), "python": platform.python_version()}
    for name in distributions:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def given_threads() -> int:
    """Return the CPU threads that this process is given: `OMP_NUM_THREADS`, or else all cores that it may use.

    Snakemake sets the variable to the `threads` of a job, torchrun to the share of a process.
    """
    # OpenMP also allows a list, with a number for each level of nested loops.
    first = os.environ.get(GIVEN_THREADS, "").split(",")[0].strip()
    return int(first) if first.isdecimal() and int(first) > 0 else usable_cores()


def share_threads(processes: int) -> int:
    """Divide the threads that this process is given among processes that it starts, and return the share of each."""
    share = max(1, given_threads() // processes)
    os.environ[GIVEN_THREADS] = str(share)
    return share


def has_nvidia_gpu() -> bool:
    """Whether the tool of NVIDIA's driver is installed."""
    return shutil.which("nvidia-smi") is not None


def has_gpu() -> bool:
    """Whether `device: auto` presumably finds a GPU: one by NVIDIA, or Apple's."""
    return has_nvidia_gpu() or (platform.system(), platform.machine()) == ("Darwin", "arm64")
