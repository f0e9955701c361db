"""Rate, latency and memory of `transpose serve` by number of concurrent clients.

python -m benchmarks.serve_load --clients 1 4 64 --seconds 30

Each client sends one packaged photograph after another (one person each) over a kept connection. With more clients than
may wait, the server is overloaded: it has to refuse with 429 or 503, and to keep its memory.
"""

import argparse
import http.client
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import psutil
from tabulate import tabulate

from transpose.data.photographs import photographs_folder

_PATIENCE = 60.0
"""Seconds that an answer may take."""
_WARM_UP_SECONDS = 5.0
_MB = 1e6


@dataclass
class Load:
    """What a number of clients measured."""

    clients: int
    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    """Seconds, of answered requests."""
    memory: int = 0
    """Resident bytes of the server afterwards."""


@dataclass(frozen=True)
class RunningServer:
    """A server in a process of its own."""

    process: psutil.Process
    port: int

    def memory(self) -> int:
        """Return its resident bytes."""
        return self.process.memory_info().rss


@contextmanager
def running_server(options: Sequence[str]) -> Iterator[RunningServer]:
    """Start `transpose serve` on a free port of the loopback interface, and end it after the block."""
    command = [sys.executable, "-m", "transpose", "serve", "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = process.stderr.readline()
            match = re.search(r"http://127\.0\.0\.1:(\d+)", line)
            assert match is not None, line
            yield RunningServer(psutil.Process(process.pid), int(match[1]))
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def measure_load(server: RunningServer, path: str, clients: int, seconds: float) -> Load:
    """Send requests from a number of clients at once for some seconds."""
    images = [file.read_bytes() for file in sorted((photographs_folder() / "images").iterdir())]
    load, lock = Load(clients), threading.Lock()
    start = time.perf_counter()

    def work(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_PATIENCE)
        number = first
        while time.perf_counter() - start < seconds:
            sent = time.perf_counter()
            connection.request("POST", path, images[number % len(images)], {"Content-Type": "image/jpeg"})
            answer = connection.getresponse()
            answer.read()
            with lock:
                load.statuses[answer.status] += 1
                if answer.status == 200:
                    load.latencies.append(time.perf_counter() - sent)
            if answer.status in (429, 503):
                time.sleep(float(answer.headers["Retry-After"]))
            number += 1
        connection.close()

    threads = [threading.Thread(target=work, args=(first,)) for first in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    load.seconds, load.memory = time.perf_counter() - start, server.memory()
    return load


def render(loads: Sequence[Load], memory_before: int) -> str:
    """Return a Markdown table."""
    rows = [("0", "", "", "", "", f"{memory_before / _MB:.0f}")]
    for load in loads:
        p50, p99 = (1000 * np.percentile(load.latencies, (50, 99))).tolist()
        refused = ", ".join(f"{count} × {status}" for status, count in sorted(load.statuses.items()) if status != 200)
        rate = f"{load.statuses[200] / load.seconds:.1f}"
        rows.append(
            (str(load.clients), rate, f"{p50:.0f}", f"{p99:.0f}", refused or "none", f"{load.memory / _MB:.0f}")
        )
    names = ("clients", "answers/s", "p50 ms", "p99 ms", "refused", "server's MB")
    return tabulate(rows, names, tablefmt="pipe", disable_numparse=True)


def main() -> None:
    """Read the options, measure and print the table."""
    parser = argparse.ArgumentParser(description="Load test of transpose serve.")
    parser.add_argument("--clients", nargs="+", type=int, default=[1, 4, 16, 64], help="numbers of clients")
    parser.add_argument("--seconds", type=float, default=30.0, help="duration for each number")
    parser.add_argument("--path", default="/predict", choices=["/predict", "/explain"], help="what to ask")
    parser.add_argument("--model", help="see transpose serve")
    chosen = parser.parse_args()
    with running_server(["--model", chosen.model] if chosen.model else []) as server:
        measure_load(server, chosen.path, 2, _WARM_UP_SECONDS)
        before = server.memory()
        loads = [measure_load(server, chosen.path, clients, chosen.seconds) for clients in chosen.clients]
        print(render(loads, before))


if __name__ == "__main__":
    main()
