"""Work in several processes on the CPU that speak by gloo, without a port."""

import multiprocessing
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed import FileStore, Store  # pyright: ignore[reportPrivateImportUsage]

from transpose.training.distributed import connect
from transpose.training.placement import Placement

# One server imports once and forks, before it has threads. Optimisers import torch._dynamo, which takes seconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["transpose.training.run", "torch._dynamo"])


class WithoutPort(Placement):
    """Processes that find each other by a file, at the address."""

    def store(self, time_limit: timedelta) -> Store:
        return FileStore(self.address, self.size)


def in_processes(size: int, work: Callable[..., Any], *arguments: Any) -> list[Future[Any]]:
    """`work(group, *arguments)` in each process of a group, by rank: ended, with a result or an exception."""
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(size, mp_context=_CONTEXT) as pool:
        places = [WithoutPort(rank, size, rank, str(Path(folder) / "store"), 0) for rank in range(size)]
        return [pool.submit(_join, place, work, arguments) for place in places]


def results_of(size: int, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """The results by rank of work that succeeds everywhere."""
    return [future.result() for future in in_processes(size, work, *arguments)]


def _join(place: Placement, work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    # As in a process that torchrun started.
    multiprocessing.set_start_method("fork", force=True)
    torch.set_num_threads(1)
    group = connect(place, "gloo")
    try:
        return work(group, *arguments)
    finally:
        dist.destroy_process_group()
