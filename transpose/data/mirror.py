"""Transfer of a file over HTTP: only its missing end, with retries."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO, TypeVar

import requests
from tqdm import tqdm

from transpose.errors import without_logins

CHUNK_BYTES = 1 << 16
"""Size of a read; an interruption loses at most this much."""

_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_CUT = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)

Answer = TypeVar("Answer")


class MirrorError(Exception):
    """The mirror does not send the file; a retry would fail too."""


class LineError(Exception):
    """The transfer was interrupted; a retry may succeed."""

    def __init__(self, problem: str, wait: float = 0.0) -> None:
        """Create the error; `wait` is the server's Retry-After in seconds."""
        self.wait = wait
        super().__init__(problem)


@dataclass(frozen=True)
class Patience:
    """Retry limits of a mirror."""

    tries: int = 10
    """Consecutive failed attempts without a new byte before giving up."""
    first_pause: float = 1.0
    """Seconds; the pause doubles with each failure."""
    longest_pause: float = 60.0
    timeouts: tuple[float, float] = (10.0, 60.0)
    """Seconds to wait for a connection and for the next bytes."""
    sleep: Callable[[float], None] = time.sleep

    def pause(self, failures: int, asked: float) -> float:
        """Return the seconds to wait after `failures` attempts without a new byte.

        Args:
            asked: seconds from the server's Retry-After header.
        """
        return min(max(self.first_pause * 2.0 ** max(failures - 1, 0), asked), self.longest_pause)


def transfer(
    url: str, size: int, stream: BinaryIO, name: str, patience: Patience, report: Callable[[str], None]
) -> None:
    """Append the rest of the `size` bytes at `url` to `stream`, with retries; the stream contains the first bytes.

    Args:
        name: label of the progress bar.
        report: called with one line for every interruption.

    Raises:
        MirrorError: the server refuses, or sends no new bytes for too long.
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
    """Call `attempt` until it succeeds and return its result; a LineError is retried after a pause.

    Args:
        progress: returns a number that grows when a failed attempt made progress, which resets the retry count.

    Raises:
        MirrorError: the server refuses, or too many attempts in a row make no progress.
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


def append_missing(
    session: requests.Session,
    url: str,
    size: int,
    stream: BinaryIO,
    timeouts: tuple[float, float],
    advance: Callable[[int], object],
) -> None:
    """Append the missing bytes of the file at `url` to `stream`, which contains the first ones.

    The stream is only appended to: if the server ignores the requested range, bytes already present are skipped.

    Args:
        size: bytes of the complete file.
        timeouts: seconds to wait for a connection and for the next bytes.
        advance: called with the number of bytes appended, for every chunk.

    Raises:
        MirrorError: the mirror refuses, or its file has another size.
        LineError: the server is busy or unreachable, or the connection was lost; the stream may have grown.
    """
    have = stream.seek(0, os.SEEK_END)
    try:
        with _ask(session, url, have, size, timeouts) as response:
            skip = have - _first_byte(response, have, size)
            for chunk in response.iter_content(CHUNK_BYTES):
                fresh = chunk[skip:][: size - have]
                skip = max(0, skip - len(chunk))
                stream.write(fresh)
                have += len(fresh)
                advance(len(fresh))
                if have == size:
                    return
    except _CUT as error:
        raise LineError(root_cause(error)) from None
    except requests.RequestException as error:
        raise MirrorError(root_cause(error)) from None
    raise LineError(f"the server stopped at byte {have} of {size}")


def announced_size(session: requests.Session, url: str, timeouts: tuple[float, float]) -> int:
    """Return the size in bytes of the file at `url` from the server's headers.

    Raises:
        MirrorError: the server refuses, returns a web page, or does not send the size.
        LineError: the server is busy or unreachable.
    """
    try:
        with session.get(url, headers={"Accept-Encoding": "identity"}, stream=True, timeout=timeouts) as response:
            _refuse_errors(response)
            headers = response.headers
    except _CUT as error:
        raise LineError(root_cause(error)) from None
    except requests.RequestException as error:
        raise MirrorError(root_cause(error)) from None
    if headers.get("Content-Type", "").partition(";")[0].strip().lower() == "text/html":
        raise MirrorError("the server returned a web page; download it in a browser and configure its path")
    if not headers.get("Content-Length", "").isdecimal() or headers["Content-Length"] == "0":
        raise MirrorError("the server does not send its size; download it by hand and configure its path")
    return int(headers["Content-Length"])


def _refuse_errors(response: requests.Response) -> None:
    """Refuse responses without the file's own bytes."""
    status = response.status_code
    if status in _TRY_AGAIN:
        asked = response.headers.get("Retry-After", "")
        raise LineError(f"HTTP {status} {response.reason}", float(asked) if asked.isdecimal() else 0.0)
    if status not in (200, 206):
        raise MirrorError(f"HTTP {status} {response.reason}")
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        # The announced size is that of the encoded bytes, and whether the file itself is compressed is not certain.
        problem = f"the server encodes the file ({encoding}), although asked not to"
        raise MirrorError(f"{problem}; download it by hand and configure its path")


def _ask(
    session: requests.Session, url: str, start: int, size: int, timeouts: tuple[float, float]
) -> requests.Response:
    """Request the file from byte `start` on, or all of it if the server refuses the range."""
    headers = {"Accept-Encoding": "identity"}
    span = {"Range": f"bytes={start}-"} if start else {}
    response = session.get(url, headers=headers | span, stream=True, timeout=timeouts)
    if response.status_code != 416:
        return response
    response.close()
    total = response.headers.get("Content-Range", "").rpartition("/")[2]
    if total.isdecimal() and int(total) != size:
        raise MirrorError(f"has {total} bytes, not {size}")
    return session.get(url, headers=headers, stream=True, timeout=timeouts)


def _first_byte(response: requests.Response, have: int, size: int) -> int:
    """Return the position in the file of the first byte of the response body."""
    _refuse_errors(response)
    if response.status_code == 206:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if span is None or int(span[1]) > have:
            raise MirrorError("the server returned another byte range than requested")
        start, total = int(span[1]), span[2]
    else:
        start, total = 0, response.headers.get("Content-Length", "")
    if total.isdecimal() and int(total) != size:
        raise MirrorError(f"has {total} bytes, not {size}")
    return start


def root_cause(error: BaseException) -> str:
    """Return the message of the innermost exception."""
    while error.__context__ is not None:
        error = error.__context__
    return without_logins(str(error)) or type(error).__name__
