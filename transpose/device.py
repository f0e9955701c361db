"""Choose the device, precision and threads of a network, and describe the machine."""

import contextlib
import importlib.util
import os
import platform
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from transpose.config.training import Dtype
from transpose.errors import InputError
from transpose.machine import cpu_name, given_threads
from transpose.memory import memory_for

Model = TypeVar("Model", bound=nn.Module)


_DTYPES: dict[Dtype, torch.dtype] = {
    "fp32": torch.float32,
    "tf32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}


@dataclass(frozen=True)
class DeviceContext:
    """A device, the precision of the network's arithmetic on it, and the number of CPU threads."""

    device: torch.device
    dtype: Dtype
    threads: int
    compiled: bool = False
    """Whether the network is compiled."""

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype of matrix products and convolutions."""
        return _DTYPES[self.dtype]

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context to run the network in: autocast to the dtype, or a null context for fp32 and tf32."""
        self.set_tf32()
        if self.torch_dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, dtype=self.torch_dtype)

    def set_tf32(self) -> None:
        """On CUDA, switch TF32 on or off as the dtype needs, until the network of another context runs."""
        if self.device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = self.dtype != "fp32"

    @property
    def reads_losses_late(self) -> bool:
        """Whether a training reads the loss of a step after the next has started, so that the device never waits."""
        return self.device.type == "cuda"

    @property
    def pins_memory(self) -> bool:
        """Whether batches are placed in pinned memory, from which the device copies asynchronously."""
        return self.device.type == "cuda"

    def send(self, tensor: Tensor) -> Tensor:
        """Copy the tensor to the device, asynchronously if its memory is pinned."""
        return tensor.to(self.device, non_blocking=self.pins_memory)

    def read_later(self, scalar: Tensor) -> Callable[[], float]:
        """Start to copy a scalar of the device, and return a function that waits for the copy and returns the value."""
        copy = torch.empty_like(scalar, device="cpu", pin_memory=self.pins_memory)
        copy.copy_(scalar, non_blocking=self.pins_memory)
        if not self.pins_memory:
            return copy.item
        copied = torch.cuda.Event()
        copied.record()

        def value() -> float:
            copied.synchronize()
            return copy.item()

        return value

    def pad_batch(self, batch: Tensor, size: int) -> Tensor:
        """Pad a batch [B, ...] with zeros to [size, ...], since a compiled network is specialised to one batch size.

        Without compilation, or if B is at least `size`, return the batch unchanged.
        """
        missing = size - len(batch)
        if not self.compiled or missing <= 0:
            return batch
        return torch.cat([batch, batch.new_zeros(missing, *batch.shape[1:])])

    def to_device(self, model: Model) -> Model:
        """Move the model to the device, with convolution weights in channels-last order, the fastest on all backends.

        Raises:
            InputError: the device's memory is full.
        """
        with memory_for("device", self.device, "before the first batch; is another process using it?"):
            return model.to(self.device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def resolve_device(device: str, dtype: Dtype, threads: int | None, compiled: bool = False) -> DeviceContext:
    """Resolve `auto` to CUDA, then MPS, then the CPU, and configure CPU arithmetic of this process.

    Sets the number of threads, flushes denormal numbers (below 1e-38 in fp32) to zero, and switches TF32 as the dtype
    needs. tf32 is fp32 where there is no CUDA.

    Args:
        threads: CPU threads; None takes those that this process is given, see `given_threads`.

    Raises:
        InputError: the machine lacks the device, a C++ compiler or Triton, or the device does not support the dtype.
    """
    devices = _devices()
    if device not in ("auto", *devices):
        raise InputError(f"not available on this machine, which has {', '.join(devices)}", file="device", record=device)
    chosen = torch.device(devices[0] if device == "auto" else device)
    if dtype == "fp16" and chosen.type != "cuda":
        raise InputError(f"needs CUDA, and this runs on {chosen.type}", file="dtype", record=dtype)
    if chosen.type == "cuda" and dtype == "bf16" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise InputError(
            f"{torch.cuda.get_device_name(chosen)} does not support it; use fp16", file="dtype", record=dtype
        )
    if compiled and chosen.type == "cpu" and not _has_cpp_compiler():
        raise InputError("needs a C++ compiler (g++ or clang++), which this machine lacks", file="compile", record=True)
    if compiled and chosen.type == "cuda" and importlib.util.find_spec("triton") is None:
        raise InputError("needs Triton, which this environment lacks", file="compile", record=True)
    threads = threads or given_threads()
    torch.set_num_threads(threads)
    # Sharp attention has mostly denormal weights, for which a CPU takes several times as long. Threads inherit this
    # setting from the one that starts them, so it must come before the first computation.
    torch.set_flush_denormal(True)
    context = DeviceContext(chosen, "fp32" if dtype == "tf32" and chosen.type != "cuda" else dtype, threads, compiled)
    context.set_tf32()
    return context


def describe_machine(device: torch.device) -> dict[str, str]:
    """Return the device, processor and library versions that results of this run depend on."""
    import cv2
    import numpy as np

    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "device": accelerator,
        "cpu": cpu_name(),
        "cores": str(os.cpu_count()),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "opencv": cv2.__version__,
    }


def _devices() -> list[str]:
    """Device types of this machine, fastest first."""
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [name for name, is_here in available.items() if is_here]


def _has_cpp_compiler() -> bool:
    return any(shutil.which(name) for name in (os.environ.get("CXX", "g++"), "g++", "clang++"))
