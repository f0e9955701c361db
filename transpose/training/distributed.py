"""Distributed training: process group, collective operations and collective exceptions."""

import socket
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import PrefixStore, Store  # pyright: ignore[reportPrivateImportUsage]

from transpose.device import DeviceContext
from transpose.errors import InputError, lost_worker
from transpose.training.interruption import Interrupted
from transpose.training.placement import Placement

Value = TypeVar("Value")

TIME_LIMIT = timedelta(seconds=600)
"""How long a process waits for the others, at the start and in each exchange: longer than a checkpoint or the
evaluation of the main process takes."""
_NOTICE = timedelta(seconds=10)
"""How long the processes that have waited in vain wait for each other, to find out which one is missing."""


class LostProcessError(Exception):
    """Another process of the training has ended or does not answer, so this one cannot continue."""

    def __init__(self, missing: Sequence[int] = (), size: int = 0, seconds: float | None = None) -> None:
        """Note the processes that do not answer, as far as known.

        Args:
            missing: their ranks.
            size: number of all processes.
            seconds: how long they were waited for; None if the connection to one of them broke.
        """
        self.missing, self.size, self.seconds = missing, size, seconds
        super().__init__(missing, size, seconds)

    @property
    def reporter(self) -> int:
        """Rank of the process that reports the error: the first one that is not missing."""
        return next(rank for rank in range(len(self.missing) + 1) if rank not in self.missing)

    def __str__(self) -> str:
        if self.seconds is not None:
            names = ("processes " if len(self.missing) > 1 else "process ") + ", ".join(map(str, self.missing))
            waited = f"{names} of {self.size} (counted from 0) did not answer for {self.seconds:.0f} s"
            return f"{waited}; run the same command to continue"
        reason = str(self.__cause__).partition(". ")[0]
        return f"another process of this training has ended ({reason}); run the same command to continue"


@dataclass(frozen=True)
class ProcessGroup:
    """The process group of a training, seen from one process. A single process does not use torch.distributed.

    All methods are collective: every process must call them in the same order.
    """

    rank: int = 0
    size: int = 1
    store: Store | None = field(default=None, repr=False)
    """Values that all processes can read and write, also after a failed operation; None in a single process."""
    time_limit: timedelta = TIME_LIMIT

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
            with self._others_present():
                dist.all_gather_object(values, value)
        return values

    def gather_numbers(self, *numbers: float) -> list[list[float]]:
        """Return a few numbers of each process, by rank, in every process; faster than `gather`."""
        if self.size == 1:
            return [list(numbers)]
        own = torch.tensor(numbers, dtype=torch.float64)
        rows = [torch.empty_like(own) for _ in range(self.size)]
        with self._others_present():
            dist.all_gather(rows, own)
        return [row.tolist() for row in rows]

    def maximum(self, number: int) -> int:
        """Return the largest number of all processes."""
        return int(max(row[0] for row in self.gather_numbers(number)))

    def average_gradients(self, parameters: Iterable[nn.Parameter], loss: Tensor, weight: float) -> Tensor:
        """Replace gradients by the sum over processes of weight times gradient, and return that sum of the losses.

        Uses one buffer with the parameters in the same order in each step. DistributedDataParallel overlaps with the
        backward pass, but not with a captured one, which saves more time (docs/design.md).

        Args:
            parameters: parameters of the model; a missing gradient counts as zero.
            loss: scalar on the parameters' device.
            weight: share of this process in the batch; the shares of all processes sum to 1.
        """
        if self.size == 1:
            return loss
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        for parameter in trained:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in trained if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in (loss, *gradients)]) * weight
        with self._others_present():
            dist.all_reduce(flat)
        mean, *parts = flat.split([1, *(gradient.numel() for gradient in gradients)])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view(gradient.shape))
        return mean.view(())

    def share_buffers(self, model: nn.Module) -> None:
        """Broadcast the main process's buffers (BatchNorm running statistics, kept per process) to all processes."""
        if self.size == 1:
            return
        with self._others_present():
            for buffer in model.buffers():
                dist.broadcast(buffer, src=0)

    def wait(self) -> None:
        """Wait until every process has called this (barrier)."""
        self.maximum(0)

    @contextmanager
    def _others_present(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if lost_worker(error) is not None:
                raise
            raise self._lost(is_late="imed out" in str(error)) from error

    def _lost(self, is_late: bool) -> LostProcessError:
        """Return the error of a failed exchange, with the processes that have not noticed one in some seconds."""
        if self.store is None:
            return LostProcessError()
        ranks = range(self.size)
        try:
            self.store.set(_key(self.rank), "late" if is_late else "lost")
            if self.store.add("gave_up", 1) == self.size - 1:
                self.store.set("all_but_one", "")
            with suppress(RuntimeError):
                self.store.wait(["all_but_one"], _NOTICE)
            present = [rank for rank in ranks if self.store.check([_key(rank)])]
            has_waited = any(self.store.get(_key(rank)) == b"late" for rank in present)
        except RuntimeError:
            # The process that served the store has ended: all others report it.
            return LostProcessError([rank for rank in ranks if rank != self.rank], self.size)
        missing = [rank for rank in ranks if rank not in present]
        return LostProcessError(missing, self.size, self.time_limit.total_seconds() if has_waited and missing else None)


def _key(rank: int) -> str:
    return f"gave_up/{rank}"


ALONE = ProcessGroup()
"""The process group of a training in one process."""


def check_devices(processes: int, context: DeviceContext) -> None:
    """Check that this machine has a device for each process.

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
    """Join the processes that torchrun or srun started with this one; ALONE for one process.

    GPU tensors use NCCL, with one GPU per process; CPU tensors use gloo.

    Raises:
        InputError: a different number of processes was started, some are missing, or two have one GPU.
    """
    placement = Placement.of_environment()
    started = placement.size if placement is not None else 1
    if started != processes:
        raise InputError(f"but the number of processes started is {started}", file="training.gpus", record=processes)
    if placement is None or processes == 1:
        yield ALONE
        return
    on_gpus = context.device.type == "cuda"
    if on_gpus:
        # Slurm may show each process its own GPU only.
        visible = torch.cuda.device_count()
        torch.cuda.set_device(placement.local_rank if placement.local_rank < visible else 0)
    group = connect(placement, "cpu:gloo,cuda:nccl" if on_gpus else "gloo")
    try:
        if on_gpus:
            check_own_devices(group, (socket.gethostname(), str(torch.cuda.get_device_properties().uuid)))
        yield group
    finally:
        dist.destroy_process_group()


def connect(placement: Placement, backend: str, time_limit: timedelta = TIME_LIMIT) -> ProcessGroup:
    """Connect this process with the others.

    Raises:
        InputError: a process did not arrive within the time limit, or cannot be reached.
    """
    rank, size = placement.rank, placement.size
    try:
        store = placement.store(time_limit)
        store.set_timeout(time_limit)
        own = PrefixStore("torch", store)
        dist.init_process_group(backend, store=own, rank=rank, world_size=size, timeout=time_limit)
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        problem = f"these processes did not all connect within {time_limit.total_seconds():.0f} s ({reason})"
        raise InputError(problem, file="training.gpus", record=size) from None
    return ProcessGroup(rank, size, store, time_limit)


def check_own_devices(group: ProcessGroup, device: Hashable) -> None:
    """Check that no two processes have the same device; all processes call this.

    Raises:
        InputError: two have the same.
    """
    devices = group.gather(device)
    for rank, one in enumerate(devices):
        if (first := devices.index(one)) < rank:
            problem = f"processes {first} and {rank} have the same GPU; start one process for each GPU"
            raise InputError(problem, file="training.gpus", record=group.size)
