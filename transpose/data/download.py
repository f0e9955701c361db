"""Download files: resumed, from several mirrors, and checked by their digest."""

import fcntl
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import requests

from transpose.config.base import Settings
from transpose.config.download import Archive, refuse_login
from transpose.config.load import read_record
from transpose.data.digests import recorded_sha256, remember_sha256, remembered_sha256
from transpose.data.mirror import MirrorError, Patience, announced_size, ask_patiently, transfer
from transpose.disk import require_space, write_problem
from transpose.errors import InputError
from transpose.files import atomic_path, sha256_of_file, write_json

WRONG_DOWNLOADS = 2
"""Downloads with a wrong digest before giving up: the first and one retry."""


class _Wrong(Settings):
    """A complete download with a wrong digest."""

    url: str
    sha256: str


class _WrongDownloads(Settings):
    """Record of the wrong downloads so far, for one expected digest and list of mirrors."""

    expected: str
    urls: tuple[str, ...]
    wrong: tuple[_Wrong, ...] = ()


def download(
    archive: Archive,
    target: Path,
    patience: Patience | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> None:
    """Download an archive to `target`, resuming an earlier call; the environment's proxy settings are used.

    Bytes are written to a partial file next to the target, which is kept after an interruption and renamed once size
    and SHA-256 match. A target that already matches is left as it is. Digests are recorded next to the target, wrong
    ones too: after a second wrong download the call fails until the user deletes the record.

    Args:
        report: called with progress messages, one line each.

    Raises:
        InputError: no mirror sends the right bytes, the disk is too small, or another process downloads the same file.
    """
    if _is_right(target, archive):
        return
    partial = partial_path(target, archive)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _held(partial) as stream:
            # Another process may have finished it before the lock was taken.
            if _is_right(target, archive):
                partial.unlink(missing_ok=True)
                return
            _Download(archive, target, stream, patience or Patience(), report).run()
    except OSError as error:
        raise InputError(f"cannot be written: {write_problem(error)}", file=target) from None


def download_unless_there(
    archive: Archive,
    target: Path,
    patience: Patience | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> None:
    """Download a file as `download`, but refuse to replace another file that is already there.

    Raises:
        InputError: as `download`, or the file that is there has another digest.
    """
    if target.is_file():
        size, digest = target.stat().st_size, sha256_of_file(target)
        if digest != archive.sha256:
            problem = f"has {size:,} bytes and sha256 {digest}, not {archive.bytes:,} bytes and sha256 {archive.sha256}"
            raise InputError(f"{problem} of {archive.version}; move it away to download that file", file=target)
        remember_sha256(target, digest)
        return
    download(archive, target, patience, report)


def partial_path(target: Path, archive: Archive) -> Path:
    """Return the path of the partial file; the name depends on the archive's version."""
    return target.with_name(f"{target.name}.{archive.sha256[:8]}.partial")


def _is_right(target: Path, archive: Archive) -> bool:
    return target.is_file() and target.stat().st_size == archive.bytes and remembered_sha256(target) == archive.sha256


@contextmanager
def _held(partial: Path) -> Iterator[BinaryIO]:
    """Open a partial file under an exclusive lock, which is released when the process ends."""
    with partial.open("ab") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError("another process is downloading this file", file=partial) from None
        yield stream


class _Download:
    """One download to a partial file that this process has locked."""

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
        """Download the missing bytes, verify them and rename the file to the target."""
        self._refuse_third_download([])
        if self._size() >= self.archive.bytes and self._settle("an earlier run"):
            return
        require_space(self.target, self.archive.bytes - self._size())
        if self.target.exists():
            self.report(f"{self.target} is not {self.archive.version} with the right digest: downloading it again")
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
        """Rename the complete file to the target if its digest is right, or else discard its bytes."""
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
            self._fail([*problems, f"delete {self.wrongs_path} to try again"])

    def _fail(self, problems: list[str]) -> None:
        if not self._size():
            self.partial.unlink(missing_ok=True)
        wrongs = [f"{wrong.url}: sha256 is {wrong.sha256}, not {self.archive.sha256}" for wrong in self.wrongs.wrong]
        reasons = "; ".join([*dict.fromkeys(wrongs), *problems])
        raise InputError(f"cannot be downloaded: {reasons}", file=self.target)

    def _read_wrongs(self) -> _WrongDownloads:
        none = _WrongDownloads(expected=self.archive.sha256, urls=self.archive.urls)
        if not self.wrongs_path.is_file():
            return none
        record = read_record(_WrongDownloads, self.wrongs_path)
        return record if record.model_copy(update={"wrong": ()}) == none else none

    def _size(self) -> int:
        return self.stream.seek(0, os.SEEK_END)


def download_url(
    url: str,
    target: Path,
    sha256: str | None = None,
    patience: Patience | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> None:
    """Download the file at `url` to `target`; an existing target is only checked.

    With a known digest, an interrupted download is resumed as by `download`. Without one, it restarts, the file is
    accepted, and its digest is recorded next to the target. Later calls require this digest, even if the target has
    been deleted.

    Args:
        sha256: digest that the file must have; None uses the recorded one, if any.
        report: called with progress messages, one line each.

    Raises:
        InputError: the server does not send the file, the digest is wrong, or the URL contains a password.
    """
    try:
        refuse_login(url)
    except ValueError as error:
        raise InputError(str(error), file=url) from None
    patience = patience or Patience()
    expected = sha256 or recorded_sha256(target)
    if target.is_file():
        _check(target, expected)
        return
    try:
        with requests.Session() as session:
            size = ask_patiently(lambda: announced_size(session, url, patience.timeouts), url, patience, report)
        if expected is not None:
            download(Archive(version=url, bytes=size, sha256=expected, urls=(url,)), target, patience, report)
            return
        _fetch_unknown(url, size, target, patience, report)
    except MirrorError as error:
        raise InputError(f"cannot be downloaded: {error}", file=url) from None
    except OSError as error:
        raise InputError(f"cannot be written: {write_problem(error)}", file=target) from None
    report(f"{url}: no sha256 was given; later downloads must have {recorded_sha256(target)}")


def _fetch_unknown(url: str, size: int, target: Path, patience: Patience, report: Callable[[str], None]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    require_space(target, size)
    with atomic_path(target) as temporary, temporary.open("ab") as stream:
        transfer(url, size, stream, target.name, patience, report)
    remembered_sha256(target)


def _check(target: Path, expected: str | None) -> None:
    digest = sha256_of_file(target)
    if expected not in (None, digest):
        raise InputError(f"sha256 is {digest}, not {expected}: delete it to download it again", file=target)
    remember_sha256(target, digest)
