"""Run one command in several processes of this machine with torchrun's launcher."""

import logging
import os
import signal
import socket
import sys
import tempfile
import uuid
from collections.abc import Sequence

import psutil
from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import RendezvousParameters, rendezvous_handler_registry
from torch.distributed.elastic.rendezvous.static_tcp_rendezvous import StaticTCPRendezvous
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from transpose.errors import InputError
from transpose.training.distributed import TIME_LIMIT
from transpose.training.interruption import ignores_hangup

SHUTDOWN_SECONDS = int(TIME_LIMIT.total_seconds())
"""Time limit for a training to stop after a signal; it first writes a checkpoint, possibly to a slow disk."""


_LOOPBACK, _BACKEND = "127.0.0.1", "loopback"


class LoopbackRendezvous(StaticTCPRendezvous):
    """Rendezvous of the processes of one machine on the loopback address.

    PyTorch's rendezvous listen on all addresses of the machine, and that of `--standalone` reads pickles there.
    """

    def __init__(self, parameters: RendezvousParameters) -> None:
        listener = socket.create_server((_LOOPBACK, 0))
        port = listener.getsockname()[1]
        super().__init__(_LOOPBACK, port, 0, 1, parameters.run_id, int(parameters.config["timeout"]))
        self._store = TCPStore(_LOOPBACK, port, is_master=True, multi_tenant=True, master_listen_fd=listener.detach())

    def get_backend(self) -> str:
        """Name under which `launch` registers this rendezvous."""
        return _BACKEND


def launch(arguments: Sequence[str], processes: int) -> int:
    """Run `python -m transpose ARGUMENTS` in several processes, as `torchrun --standalone` does, and wait for them.

    The processes listen and communicate on the loopback address only. SIGTERM, SIGINT and SIGHUP are passed on.
    When one process fails, the others are ended. Unlike torchrun, this prints no messages: the processes report errors.

    Returns:
        The exit status: 128 + N after signal N, else that of the first process that failed, or 0.

    Raises:
        InputError: a process was killed, so it could not report an error.
    """
    _silence_launcher()
    if ignores_hangup():
        os.environ.setdefault("TORCHELASTIC_SIGNALS_TO_HANDLE", "SIGTERM,SIGINT,SIGQUIT")
    # gloo exchanges pickles, so it must not listen on other interfaces.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", _loopback_interface())
    rendezvous_handler_registry.register(_BACKEND, LoopbackRendezvous)
    with tempfile.TemporaryDirectory() as folder:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=str(uuid.uuid4()),
            rdzv_backend=_BACKEND,
            local_addr=_LOOPBACK,
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


def _loopback_interface() -> str:
    interfaces = psutil.net_if_addrs().items()
    return next(name for name, addresses in interfaces if any(one.address == _LOOPBACK for one in addresses))


def _status(error: ChildFailedError) -> int:
    codes = {rank: failure.exitcode for rank, failure in sorted(error.failures.items())}
    for rank, code in codes.items():
        # The launcher ends the remaining processes with SIGTERM.
        if code < 0 and code != -signal.SIGTERM:
            name = signal.Signals(-code).name
            problem = f"was killed by {name}; run the same command to continue"
            raise InputError(problem, file="training", record=f"process {rank}")
    return next((code for code in codes.values() if code > 0), 128 + signal.SIGTERM)


def _silence_launcher() -> None:
    """Silence the launcher's messages on signals and exit statuses; the processes report errors themselves."""
    for name in logging.root.manager.loggerDict:
        if name.startswith("torch.distributed."):
            logging.getLogger(name).setLevel(logging.CRITICAL)
