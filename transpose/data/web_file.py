"""Download a single file from a URL, with an optional digest."""

from collections.abc import Callable
from pathlib import Path

import requests

from transpose.config.download import Archive
from transpose.data.digests import recorded_sha256, remember_sha256, remembered_sha256
from transpose.data.download import Patience, ask_patiently, download, transfer
from transpose.data.mirror import MirrorError, announced_size
from transpose.data.space import require_space
from transpose.disk import write_problem
from transpose.errors import InputError
from transpose.files import atomic_path, sha256_of_file


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
        InputError: the server does not send the file, or the digest is wrong.
    """
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
        raise InputError(url, None, None, f"cannot be downloaded: {error}") from None
    except OSError as error:
        raise InputError(target, None, None, f"cannot be written: {write_problem(error)}") from None
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
        raise InputError(target, None, None, f"sha256 is {digest}, not {expected}: delete it to download it again")
    remember_sha256(target, digest)
