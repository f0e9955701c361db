"""Places where Snakemake keeps the files of a study: S3, played by moto's server, and a folder."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from transpose.errors import InputError

BUCKET = "study"
_LIMIT = 120.0
"""Seconds until the server must answer."""


@dataclass(frozen=True)
class Storage:
    """A storage, as Snakemake's options."""

    name: str
    options: tuple[str, ...]
    local_copies: Path
    """Where Snakemake keeps local copies, relative to the working folder."""
    stored: Callable[[], set[str]]
    """Return the paths of the stored files, relative to the working folder."""

    def link_local_copies(self, folder: Path) -> None:
        """Make the working folder itself the folder of local copies.

        The commands of rules find results by their path in the results folder, and not only by their arguments.
        """
        link = folder / self.local_copies
        link.parent.mkdir(parents=True)
        link.symlink_to(folder.resolve(), target_is_directory=True)


def folder_storage(folder: Path) -> Storage:
    """Return the storage of the plugin `fs`, such as for a disk that is slow or shared."""
    place = folder.resolve()

    def stored() -> set[str]:
        return {path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()}

    return Storage("fs", _options("fs", str(place)), Path(".snakemake/storage/fs") / place.relative_to("/"), stored)


@contextmanager
def s3_storage(log: Path) -> Iterator[Storage]:
    """Run moto's server, a stand-in for S3 that keeps objects in memory, and yield a bucket in it.

    Raises:
        InputError: the server does not answer.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, command = f"http://127.0.0.1:{port}", [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_for(url, server, log)
        options = (*_options("s3", f"s3://{BUCKET}"), "--storage-s3-endpoint-url", url)
        yield Storage("s3", options, Path(".snakemake/storage/s3") / BUCKET, lambda: _objects(url))
    finally:
        server.terminate()
        server.wait()


def _options(provider: str, prefix: str) -> tuple[str, ...]:
    return (
        *("--default-storage-provider", provider, "--default-storage-prefix", prefix),
        # They are the results folder itself.
        "--keep-storage-local-copies",
    )


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _LIMIT
    while server.poll() is None and time.monotonic() < deadline:
        try:
            requests.get(url, timeout=10)
        except requests.ConnectionError:
            time.sleep(0.2)
        else:
            return
    raise InputError("moto's server does not answer (pip install 'moto[server]')", file=log)


def _objects(url: str) -> set[str]:
    import boto3  # pyright: ignore[reportMissingImports] -- comes with the plugin

    resource = boto3.resource("s3", endpoint_url=url, aws_access_key_id="any", aws_secret_access_key="any")
    return {item.key for item in resource.Bucket(BUCKET).objects.all()}
