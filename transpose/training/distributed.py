"""Distributed training: process group, collective operations and collective exceptions."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn

from transpose.device import DeviceContext
from transpose.errors import InputError, lost_worker
from transpose.training.interruption import Interrupted

Value = TypeVar("Value")


class LostProcessError(Exception):
    """Another process of the training has ended, so this one cannot continue."""

    def __str__(self) -> str:
        reason = str(self.__cause__).partition(". ")[0]
        return f"another process of this training has ended ({reason}); run the same command to continue"


@dataclass(frozen=True)
class ProcessGroup:
    """The process group of a training, seen from one process. A single process does not use torch.distributed.

    All methods are collective: every process must call them in the same order.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the main process (rank 0), which writes files and reports progress."""
        return self.rank == 0

    def raise_together(self, work: Callable[[], Value]) -> Value:
        """Run `work` in every process and return this process's result.

        Raises:
            InputError, Interrupted: `work` raised it in some process; all processes raise the first one, so that no
                process waits for another.
        """
        results: list[Value] = []
        failure: InputError | Interrupted | None = None
        try:
            results.append(work())
        except (InputError, Interrupted) as error:
            failure = error
        if self.maximum(int(failure is not None)):
            raise next(error for error in self.gather(failure) if error is not None)
        return results[0]

    @contextmanager
    def on_main(self, context: AbstractContextManager[None]) -> Iterator[None]:
        """Enter a context in the main process only.

        Raises:
            InputError: entering the context raised it; all processes raise the same error.
        """
        with ExitStack() as stack:
            self.raise_together(lambda: stack.enter_context(context) if self.is_main else None)
            yield

    def gather(self, value: Value) -> list[Value]:
        """Return the values of all processes, by rank, in every process."""
        values = [value] * self.size
        if self.size > 1:
            with _others_present():
                dist.all_gather_object(values, value)
        return values

    def gather_numbers(self, *numbers: float) -> list[list[float]]:
        """Return a few numbers of each process, by rank, in every process; faster than `gather`."""
        if self.size == 1:
            return [list(numbers)]
        own = torch.tensor(numbers, dtype=torch.float64)
        rows = [torch.empty_like(own) for _ in range(self.size)]
        with _others_present():
            dist.all_gather(rows, own)
        return [row.tolist() for row in rows]

    def maximum(self, number: int) -> int:
        """Return the largest number of all processes."""
        return int(max(row[0] for row in self.gather_numbers(number)))

    def average_gradients(self, parameters: Iterable[nn.Parameter], weight: float) -> None:
        """Replace gradients by the sum over processes of weight times gradient.

        Uses one buffer with the parameters in the same order in each step. DistributedDataParallel regroups gradients
        after the first step, which may change the order of summation, so a resumed run would not be reproducible. It
        also does not support processes without persons in a step.

        Args:
            parameters: parameters of the model; a missing gradient counts as zero.
            weight: share of this process in the batch; the shares of all processes sum to 1.
        """
        if self.size == 1:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in trained if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients]) * weight
        with _others_present():
            dist.all_reduce(flat)
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, part in zip(gradients, flat.split(sizes), strict=True):
            gradient.copy_(part.view(gradient.shape))

    def share_buffers(self, model: nn.Module) -> None:
        """Broadcast the main process's buffers (BatchNorm running statistics, kept per process) to all processes."""
        if self.size == 1:
            return
        with _others_present():
            for buffer in model.buffers():
                dist.broadcast(buffer, src=0)

    def wait(self) -> None:
        """Wait until every process has called this (barrier)."""
        self.maximum(0)


ALONE = ProcessGroup()
"""The process group of a training in one process."""


def is_launched() -> bool:
    """Whether torchrun, or `launch`, started this process."""
    return dist.is_torchelastic_launched()


def check_devices(processes: int, context: DeviceContext) -> None:
    """Check that there is a device for each process.

    Raises:
        InputError: there are fewer GPUs than processes.
    """
    if context.device.type == "cpu" or processes == 1:
        return
    available = torch.cuda.device_count() if context.device.type == "cuda" else 1
    if available < processes:
        raise InputError(
            f"this machine has only {available}; lower training.gpus", file="training.gpus", record=processes
        )


@contextmanager
def joined(processes: int, context: DeviceContext) -> Iterator[ProcessGroup]:
    """Join the process group that the environment of torchrun describes; ALONE for one process.

    GPU tensors use NCCL, with one GPU per process; CPU tensors use gloo.

    Raises:
        InputError: a different number of processes was started, or there are fewer GPUs.
    """
    started = int(os.environ["WORLD_SIZE"]) if is_launched() else 1
    if started != processes:
        raise InputError(f"but the number of processes started is {started}", file="training.gpus", record=processes)
    check_devices(processes, context)
    if processes == 1:
        yield ALONE
        return
    on_gpus = context.device.type == "cuda"
    if on_gpus:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpus else "gloo")
    try:
        yield ProcessGroup(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


@contextmanager
def _others_present() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if lost_worker(error) is not None:
            raise
        raise LostProcessError from error
