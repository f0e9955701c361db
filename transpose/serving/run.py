"""Run the server."""

import ipaddress
import socket
from collections.abc import Callable
from contextlib import suppress

import numpy as np
import uvicorn

from transpose.errors import InputError
from transpose.pose_model import PoseModel
from transpose.serving.app import create_app
from transpose.serving.limits import Limits

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Names of this machine for itself; accepted in the Host header at any address."""

_SECONDS_TO_END = 10


def serve(model: PoseModel, host: str, port: int, limits: Limits, report: Callable[[str], None]) -> None:
    """Serve a model until SIGINT or SIGTERM.

    Args:
        port: 0 takes a free one.
        report: prints a line.

    Raises:
        InputError: the address cannot be used, or the weights no longer exist.
    """
    app = create_app(model, limits, hosts=[*LOOPBACK, host])
    # The first pass is slower than others.
    model.predict(np.zeros((*model.variant.input_size, 3), dtype=np.uint8))
    with bound_socket(host, port) as listening:
        if not _is_loopback(host):
            report(f"{host} can be reached from other machines, and this server has no passwords and no encryption")
        report(f"{model.variant.title} on {_url(host, listening.getsockname()[1])} until Ctrl-C")
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, timeout_graceful_shutdown=_SECONDS_TO_END, ws="none"
        )
        # uvicorn raises the signal again after its shutdown.
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])


def bound_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address.

    Raises:
        InputError: the address is wrong, or another program uses it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        bound = socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(f"cannot be used: {error.strerror}", file=_url(host, port)) from None
    # Connections inherit it. asyncio sets it only for sockets with a protocol number, and each answer would wait 40 ms.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return bound


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
