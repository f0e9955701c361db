"""The processes that train one model together: how they start, agree, and stay equal."""

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
    """Another process of the training is gone, so that this one cannot go on."""

    def __str__(self) -> str:
        reason = str(self.__cause__).partition(". ")[0]
        return f"another process of this training is gone ({reason}); the same command continues"


@dataclass(frozen=True)
class ProcessGroup:
    """One process among those of a training. Alone it passes everything through and needs no torch.distributed.

    All methods are collective: every process calls them in the same order.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes, reports and tells how training went."""
        return self.rank == 0

    def raise_together(self, work: Callable[[], Value]) -> Value:
        """What `work` gives in this process.

        Raises:
            InputError, Interrupted: `work` raised it in some process; all processes raise the first one, so that none
                is waited for.
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
        """Enter a context in the leader, on behalf of all processes.

        Raises:
            InputError: entering it raised; all processes raise the same.
        """
        with ExitStack() as stack:
            self.raise_together(lambda: stack.enter_context(context) if self.is_main else None)
            yield

    def gather(self, value: Value) -> list[Value]:
        """The values of all processes, by rank, in every process."""
        values = [value] * self.size
        if self.size > 1:
            with _others_present():
                dist.all_gather_object(values, value)
        return values

    def gather_numbers(self, *numbers: float) -> list[list[float]]:
        """Few numbers of each process, by rank, in every process: `gather` for every step."""
        if self.size == 1:
            return [list(numbers)]
        own = torch.tensor(numbers, dtype=torch.float64)
        rows = [torch.empty_like(own) for _ in range(self.size)]
        with _others_present():
            dist.all_gather(rows, own)
        return [row.tolist() for row in rows]

    def maximum(self, number: int) -> int:
        """The largest number of all processes."""
        return int(max(row[0] for row in self.gather_numbers(number)))

    def average_gradients(self, parameters: Iterable[nn.Parameter], weight: float) -> None:
        """Replace gradients by the sum over processes of weight times gradient.

        One buffer in the order of the parameters, the same in each step: DistributedDataParallel regroups gradients
        after a run's first step, whereupon three or more of them may be summed in another order, and a resumed run
        would not repeat the undisturbed one. It has no place either for a process without persons in a step.

        Args:
            parameters: of all of which some process may have no gradient; that counts as zero.
            weight: share of this process in the batch, the sum over processes being 1.
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
        """Give all processes the leader's buffers: running statistics, which each process keeps on its own persons."""
        if self.size == 1:
            return
        with _others_present():
            for buffer in model.buffers():
                dist.broadcast(buffer, src=0)

    def wait(self) -> None:
        """Return once every process has come here."""
        self.maximum(0)


ALONE = ProcessGroup()
"""A training in one process."""


def is_launched() -> bool:
    """Whether torchrun, or `launch`, started this process."""
    return dist.is_torchelastic_launched()


def check_devices(processes: int, context: DeviceContext) -> None:
    """See that each process can have a device.

    Raises:
        InputError: there are fewer GPUs than processes.
    """
    if context.device.type == "cpu" or processes == 1:
        return
    available = torch.cuda.device_count() if context.device.type == "cuda" else 1
    if available < processes:
        raise InputError("training.gpus", processes, None, f"this machine has {available}; lower it, or use them all")


@contextmanager
def joined(processes: int, context: DeviceContext) -> Iterator[ProcessGroup]:
    """This process's place in the training, by the environment that torchrun sets; ALONE where one process trains.

    GPUs speak by NCCL, a GPU for each process; whatever lies on the CPU goes by gloo.

    Raises:
        InputError: another number of processes was started, or there are fewer GPUs.
    """
    started = int(os.environ["WORLD_SIZE"]) if is_launched() else 1
    if started != processes:
        raise InputError("training.gpus", processes, None, f"but the number of processes started is {started}")
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
