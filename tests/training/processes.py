"""Work in several processes on the CPU that speak by gloo, without a port."""

import multiprocessing
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from transpose.training.distributed import ProcessGroup

# One server imports once and forks, before it has threads. Optimisers import torch._dynamo, which takes seconds.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["transpose.training.run", "torch._dynamo"])


def in_processes(size: int, work: Callable[..., Any], *arguments: Any) -> list[Future[Any]]:
    """`work(group, *arguments)` in each process of a group, by rank: ended, with a result or an exception."""
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(size, mp_context=_CONTEXT) as pool:
        meeting_place = Path(folder) / "store"
        return [pool.submit(_join, rank, size, meeting_place, work, arguments) for rank in range(size)]


def results_of(size: int, work: Callable[..., Any], *arguments: Any) -> list[Any]:
    """The results by rank of work that succeeds everywhere."""
    return [future.result() for future in in_processes(size, work, *arguments)]


def _join(rank: int, size: int, store: Path, work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    # As in a process that torchrun started.
    multiprocessing.set_start_method("fork", force=True)
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    try:
        return work(ProcessGroup(rank, size), *arguments)
    finally:
        dist.destroy_process_group()
