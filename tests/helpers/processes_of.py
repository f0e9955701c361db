"""Processes that a test started, any of which may end while it is asked."""

from contextlib import suppress

import psutil


def listening_addresses(pid: int) -> set[str]:
    """Where a process and all that it has started accept connections."""
    addresses: set[str] = set()
    for process in family_of(pid):
        with suppress(psutil.NoSuchProcess):
            connections = process.net_connections("inet")
            addresses |= {one.laddr.ip for one in connections if one.status == psutil.CONN_LISTEN}
    return addresses


def family_of(pid: int) -> list[psutil.Process]:
    """A process and all that it has started; none once it has ended."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []
