"""One command in several processes of this machine, by torchrun's launcher."""

import logging
import signal
import sys
import tempfile
import uuid
from collections.abc import Sequence

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from transpose.errors import InputError

SHUTDOWN_SECONDS = 3600
"""How long a signalled training may take to end by itself: it writes a checkpoint first, on whatever disk."""


def launch(arguments: Sequence[str], processes: int) -> int:
    """Run `python -m transpose ARGUMENTS` in several processes, as `torchrun --standalone` does, and wait for them.

    SIGTERM and SIGINT are passed on. When one process fails, the others are ended. Unlike torchrun, this leaves it to
    the processes to tell in one line what was wrong.

    Returns:
        The exit status: 128 + N after signal N, else that of the first process that failed, or 0.

    Raises:
        InputError: a process was killed, so that it could not tell why.
    """
    _silence_launcher()
    with tempfile.TemporaryDirectory() as folder:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=str(uuid.uuid4()),
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            local_addr="localhost",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
            shutdown_timeout=SHUTDOWN_SECONDS,
        )
        try:
            elastic_launch(config, sys.executable)("-m", "transpose", *arguments)
        except SignalException as stop:
            return 128 + stop.sigval
        except ChildFailedError as error:
            return _status(error)
    return 0


def _status(error: ChildFailedError) -> int:
    codes = {rank: failure.exitcode for rank, failure in sorted(error.failures.items())}
    for rank, code in codes.items():
        # SIGTERM is how the launcher ends those that are left.
        if code < 0 and code != -signal.SIGTERM:
            name = signal.Signals(-code).name
            raise InputError("training", f"process {rank}", None, f"was ended by {name}; the same command continues")
    return next((code for code in codes.values() if code > 0), 128 + signal.SIGTERM)


def _silence_launcher() -> None:
    """Leave it to the processes to tell: the launcher's messages are of signals passed on and exit statuses."""
    for name in logging.root.manager.loggerDict:
        if name.startswith("torch.distributed."):
            logging.getLogger(name).setLevel(logging.CRITICAL)
