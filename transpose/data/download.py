"""Archives from the web, whatever the line, the servers and the machine do meanwhile."""

import fcntl
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import requests
from tqdm import tqdm

from transpose.config.base import Settings
from transpose.config.download import Archive
from transpose.config.load import read_record
from transpose.data.digests import remember_sha256, remembered_sha256
from transpose.data.mirror import LineError, MirrorError, append_missing
from transpose.data.space import require_space
from transpose.disk import write_problem
from transpose.errors import InputError
from transpose.files import sha256_of_file, write_json

Answer = TypeVar("Answer")

WRONG_DOWNLOADS = 2
"""Downloads with a wrong digest before a person is asked: the first, and one new one."""


@dataclass(frozen=True)
class Patience:
    """How long to hope for a mirror."""

    tries: int = 10
    """Tries in a row that bring no new byte."""
    first_pause: float = 1.0
    """Seconds; each further pause is twice as long."""
    longest_pause: float = 60.0
    timeouts: tuple[float, float] = (10.0, 60.0)
    """Seconds to wait for a connection and for the next bytes."""
    sleep: Callable[[float], None] = time.sleep

    def pause(self, failures: int, asked: float) -> float:
        """Seconds to wait after so many tries in a row without a new byte, the server asking for `asked`."""
        return min(max(self.first_pause * 2.0 ** max(failures - 1, 0), asked), self.longest_pause)


class _Wrong(Settings):
    """A complete download with a wrong digest."""

    url: str
    sha256: str


class _WrongDownloads(Settings):
    """The wrong downloads so far of the bytes with one digest from the same mirrors."""

    expected: str
    urls: tuple[str, ...]
    wrong: tuple[_Wrong, ...] = ()


def download(
    archive: Archive,
    target: Path,
    patience: Patience | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> None:
    """Make `target` the archive, from whatever an earlier call left of it; proxies of the environment are used.

    The bytes are collected in a partial file beside the target, which survives cuts and kills, and become the target
    when size and SHA-256 are the archive's. A target that is right already stays as it is. Digests are remembered in
    files beside the target, wrong ones as well: a second wrong download is the last one until a person intervenes.

    Args:
        report: is told in a line of text what a waiting person would like to know.

    Raises:
        InputError: no mirror gives the right bytes, the disk is too small, or another process downloads the same.
    """
    if _is_right(target, archive):
        return
    partial = partial_path(target, archive)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _held(partial) as stream:
            # Another process may have finished it just now.
            if _is_right(target, archive):
                partial.unlink(missing_ok=True)
                return
            _Download(archive, target, stream, patience or Patience(), report).run()
    except OSError as error:
        raise InputError(target, None, None, f"cannot be written: {write_problem(error)}") from None


def transfer(
    url: str, size: int, stream: BinaryIO, name: str, patience: Patience, report: Callable[[str], None]
) -> None:
    """Append to `stream`, which holds the beginning of the `size` bytes at `url`, the rest, however often it is cut.

    Args:
        name: what the progress bar calls the file.
        report: is told in a line of text of every cut.

    Raises:
        MirrorError: the server refuses, or gives nothing new for too long.
    """

    def held() -> int:
        return stream.seek(0, os.SEEK_END)

    bar = tqdm(desc=name, total=size, initial=held(), unit="B", unit_scale=True, mininterval=1.0)
    with bar, requests.Session() as session:
        ask_patiently(
            lambda: append_missing(session, url, size, stream, patience.timeouts, bar.update),
            url,
            patience,
            report,
            held,
        )


def ask_patiently(
    attempt: Callable[[], Answer],
    url: str,
    patience: Patience,
    report: Callable[[str], None],
    progress: Callable[[], int] = lambda: 0,
) -> Answer:
    """What `attempt` gives, which is made again after each LineError.

    Args:
        progress: a number that grows when a failed attempt brought something, so that patience begins anew.

    Raises:
        MirrorError: the server refuses, or the attempts bring nothing for too long.
    """
    failures = 0
    while True:
        before = progress()
        try:
            return attempt()
        except LineError as error:
            failures = 0 if progress() > before else failures + 1
            if failures == patience.tries:
                raise MirrorError(f"{error} ({failures} times in a row)") from None
            pause = patience.pause(failures, error.wait)
            report(f"{url}: {error}; trying again in {pause:.0f} s")
            patience.sleep(pause)


def partial_path(target: Path, archive: Archive) -> Path:
    """Where the bytes are collected; bytes of another version are never taken for this one's."""
    return target.with_name(f"{target.name}.{archive.sha256[:8]}.partial")


def _is_right(target: Path, archive: Archive) -> bool:
    return target.is_file() and target.stat().st_size == archive.bytes and remembered_sha256(target) == archive.sha256


@contextmanager
def _held(partial: Path) -> Iterator[BinaryIO]:
    """Open a partial file for this process alone; the lock dies with the process, however that ends."""
    with partial.open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(partial, None, None, "another process is downloading this file") from None
        yield stream


class _Download:
    """The work on one partial file that this process holds."""

    def __init__(
        self, archive: Archive, target: Path, stream: BinaryIO, patience: Patience, report: Callable[[str], None]
    ) -> None:
        self.archive = archive
        self.target = target
        self.stream = stream
        self.patience = patience
        self.report = report
        self.partial = partial_path(target, archive)
        self.wrongs_path = target.with_name(f"{target.name}.wrong.json")
        self.wrongs = self._read_wrongs()

    def run(self) -> None:
        """Collect the missing bytes, prove them and put the file in its place."""
        self._refuse_third_download([])
        if self._size() >= self.archive.bytes and self._settle("an earlier run"):
            return
        require_space(self.target, self.archive.bytes - self._size())
        if self.target.exists():
            self.report(f"{self.target} is not {self.archive.version} with the right digest: downloading it anew")
        problems: list[str] = []
        tried = {wrong.url for wrong in self.wrongs.wrong}
        urls = deque(url for url in self.archive.urls if url not in tried) or deque(self.archive.urls)
        while urls:
            self._refuse_third_download(problems)
            url = urls.popleft()
            try:
                transfer(url, self.archive.bytes, self.stream, self.target.name, self.patience, self.report)
            except MirrorError as error:
                problems.append(f"{url}: {error}")
                self.report(problems[-1])
                continue
            if self._settle(url):
                return
            urls = urls or deque([url])
        self._fail(problems)

    def _settle(self, url: str) -> bool:
        """Put the complete file in its place if its bytes are right; throw them away if not."""
        self.stream.flush()
        os.fsync(self.stream.fileno())
        digest = sha256_of_file(self.partial)
        if digest == self.archive.sha256:
            self.partial.replace(self.target)
            remember_sha256(self.target, digest)
            self.wrongs_path.unlink(missing_ok=True)
            return True
        self.stream.truncate(0)
        self.wrongs = self.wrongs.model_copy(update={"wrong": (*self.wrongs.wrong, _Wrong(url=url, sha256=digest))})
        write_json(self.wrongs_path, self.wrongs.model_dump(mode="json"))
        self.report(f"{url}: sha256 is {digest}, not {self.archive.sha256}")
        return False

    def _refuse_third_download(self, problems: list[str]) -> None:
        if len(self.wrongs.wrong) >= WRONG_DOWNLOADS:
            self._fail([*problems, f"delete {self.wrongs_path} to let it be tried again"])

    def _fail(self, problems: list[str]) -> None:
        if not self._size():
            self.partial.unlink(missing_ok=True)
        wrongs = [f"{wrong.url}: sha256 is {wrong.sha256}, not {self.archive.sha256}" for wrong in self.wrongs.wrong]
        told = "; ".join([*dict.fromkeys(wrongs), *problems])
        raise InputError(self.target, None, None, f"cannot be downloaded: {told}")

    def _read_wrongs(self) -> _WrongDownloads:
        none = _WrongDownloads(expected=self.archive.sha256, urls=self.archive.urls)
        if not self.wrongs_path.is_file():
            return none
        record = read_record(_WrongDownloads, self.wrongs_path)
        return record if record.model_copy(update={"wrong": ()}) == none else none

    def _size(self) -> int:
        return self.stream.seek(0, os.SEEK_END)
