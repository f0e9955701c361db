"""One transfer over HTTP: the missing end of a file, whatever the server makes of the request for it."""

import os
import re
from collections.abc import Callable
from typing import BinaryIO

import requests

CHUNK_BYTES = 1 << 16
"""Also the most that a cut costs: what arrived of an unfinished chunk is lost."""

_TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
_CUT = (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError)


class MirrorError(Exception):
    """The mirror will not give the file; asking again would end the same way."""


class LineError(Exception):
    """The transfer ended early; asking again may bring the rest."""

    def __init__(self, problem: str, wait: float = 0.0) -> None:
        """`wait`: seconds that the server asks for."""
        self.wait = wait
        super().__init__(problem)


def append_missing(
    session: requests.Session,
    url: str,
    size: int,
    stream: BinaryIO,
    timeouts: tuple[float, float],
    advance: Callable[[int], object],
) -> None:
    """Append to `stream`, which holds the beginning of the `size` bytes at `url`, those that it lacks.

    What the stream holds is never taken back: a server that ignores the range asked for is read past it.

    Args:
        timeouts: seconds to wait for a connection and for the next bytes.
        advance: is told the number of bytes appended, time and again.

    Raises:
        MirrorError: the mirror refuses, or its file has another size.
        LineError: the server is busy or unreachable, or the line was cut; the stream may have grown.
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
    """Bytes of the file at `url`, as the server announces them.

    Raises:
        MirrorError: the server refuses, outputs with a page for people, or does not tell the size.
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
        raise MirrorError("the server outputs with a web page; download it in a browser and configure its path")
    if not headers.get("Content-Length", "").isdecimal() or headers["Content-Length"] == "0":
        raise MirrorError("the server does not tell its size; download it by hand and configure its path")
    return int(headers["Content-Length"])


def _refuse_errors(response: requests.Response) -> None:
    status = response.status_code
    if status in _TRY_AGAIN:
        asked = response.headers.get("Retry-After", "")
        raise LineError(f"HTTP {status} {response.reason}", float(asked) if asked.isdecimal() else 0.0)
    if status not in (200, 206):
        raise MirrorError(f"HTTP {status} {response.reason}")


def _ask(
    session: requests.Session, url: str, start: int, size: int, timeouts: tuple[float, float]
) -> requests.Response:
    """Ask for the file from byte `start` on, or for all of it if the server cannot make sense of that."""
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
    """Position in the file of the first byte of the response's body."""
    _refuse_errors(response)
    if response.status_code == 206:
        span = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if span is None or int(span[1]) > have:
            raise MirrorError("outputs with another range than asked for")
        start, total = int(span[1]), span[2]
    else:
        start, total = 0, response.headers.get("Content-Length", "")
    if total.isdecimal() and int(total) != size:
        raise MirrorError(f"has {total} bytes, not {size}")
    return start


def root_cause(error: BaseException) -> str:
    """What was wrong in the first place, without the wrappings of the libraries."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error) or type(error).__name__
