"""What is known of this machine without importing torch."""

import platform
import shutil
from pathlib import Path


def cpu_name() -> str:
    """Return the processor's model name, or its architecture where the system does not say."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def has_nvidia_gpu() -> bool:
    """Whether the tool of NVIDIA's driver is installed."""
    return shutil.which("nvidia-smi") is not None


def has_gpu() -> bool:
    """Whether `device: auto` presumably finds a GPU: one by NVIDIA, or Apple's."""
    return has_nvidia_gpu() or (platform.system(), platform.machine()) == ("Darwin", "arm64")
