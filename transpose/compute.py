"""The one place that decides what a network runs on, and says so."""

import contextlib
import os
import platform
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from transpose.config.training import Precision
from transpose.errors import InputError

Model = TypeVar("Model", bound=nn.Module)

_AUTOCAST: Mapping[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Compute:
    """A device, the precision of the network's arithmetic on it, and the CPU threads that may be used."""

    device: torch.device
    precision: Precision
    threads: int

    def autocast(self) -> AbstractContextManager[object]:
        """Context in which the network runs: autocast to the precision, or nothing for fp32."""
        if self.precision == "fp32":
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=_AUTOCAST[self.precision])

    def place(self, model: Model) -> Model:
        """Move the model to the device, convolutions' weights in channels-last order, which every backend prefers."""
        return model.to(self.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def choose_compute(device: str, precision: Precision, threads: int) -> Compute:
    """Resolve `auto` to CUDA, then MPS, then the CPU, and fix the number of CPU threads of this process.

    Raises:
        InputError: this machine has no such device, or fp16 is asked of a device other than CUDA.
    """
    devices = _devices()
    if device not in ("auto", *devices):
        raise InputError("device", device, None, f"not available on this machine, which has {', '.join(devices)}")
    chosen = devices[0] if device == "auto" else device
    if precision == "fp16" and chosen != "cuda":
        raise InputError("precision", precision, None, f"needs CUDA, and this runs on {chosen}")
    torch.set_num_threads(threads)
    return Compute(torch.device(chosen), precision, threads)


def describe_machine(device: torch.device) -> dict[str, str]:
    """Device, processor and versions that numbers of this run depend on."""
    import cv2
    import numpy as np

    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "device": accelerator,
        "cpu": _cpu_name(),
        "cores": str(os.cpu_count()),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def _devices() -> list[str]:
    """Kinds of devices of this machine, the fastest first."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [name for name, is_here in available.items() if is_here]


def _cpu_name() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
