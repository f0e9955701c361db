"""A file from a URL: downloaded once, known by its digest from then on."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.data.mirror_server import (
    MirrorServer,
    behind_login,
    cut_after,
    gzipped,
    running,
    serve,
    status,
    without_length,
)
from transpose.config.download import Archive
from transpose.data.digests import digest_record, recorded_sha256
from transpose.data.download import Patience, download_unless_there, download_url
from transpose.errors import InputError

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HASTE = Patience(tries=3, sleep=lambda seconds: None)


@pytest.fixture
def server() -> Iterator[MirrorServer]:
    with running(CONTENT) as running_server:
        yield running_server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "downloaded" / "file.json"


def assert_nothing_is_left(target: Path) -> None:
    assert not target.parent.exists() or not list(target.parent.iterdir())


@pytest.mark.parametrize("sha256", [None, SHA256])
def test_it_is_fetched_whole_over_cuts_and_only_once(server: MirrorServer, target: Path, sha256: str | None) -> None:
    # The first request asks for the size.
    server.replies = [serve(CONTENT), cut_after(100_000), status(503), cut_after(50_000)]
    download_url(server.url(), target, sha256, HASTE)
    assert target.read_bytes() == CONTENT
    assert server.ranges[2:]
    assert all(server.ranges[2:])
    server.requests.clear()
    download_url(server.url(), target, sha256, HASTE)
    assert not server.requests


def test_without_a_digest_the_first_file_is_kept_in_mind(server: MirrorServer, target: Path) -> None:
    lines: list[str] = []
    download_url(server.url(), target, None, HASTE, lines.append)
    assert SHA256 in lines[-1]
    target.unlink()
    server.replies = [serve(CONTENT[::-1])] * 5
    with pytest.raises(InputError, match=f"sha256 is .*, not {SHA256}"):
        download_url(server.url(), target, None, HASTE)
    assert not target.exists()


def test_a_wrong_digest_is_refused(server: MirrorServer, target: Path) -> None:
    with pytest.raises(InputError, match=f"sha256 is {SHA256}, not 0000"):
        download_url(server.url(), target, "0" * 64, HASTE)
    assert not target.exists()


def test_a_file_that_is_there_is_checked_and_stays(server: MirrorServer, target: Path) -> None:
    target.parent.mkdir()
    target.write_bytes(b"mine")
    with pytest.raises(InputError, match="delete it to download it again"):
        download_url(server.url(), target, SHA256, HASTE)
    download_url(server.url(), target, None, HASTE)
    assert target.read_bytes() == b"mine"
    assert digest_record(target).is_file()
    assert not server.requests


def page(handler) -> None:
    handler.send(200, {"Content-Type": "text/html; charset=utf-8", "Content-Length": 4}, b"page")


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (page, "web page; download it in a browser"),
        (without_length(b"who knows"), "does not send its size"),
        (status(404), "HTTP 404"),
        (gzipped, r"encodes the file \(gzip\), although asked not to; download it by hand"),
    ],
)
def test_what_is_no_file_is_reported_and_leaves_nothing(server: MirrorServer, target: Path, reply, words: str) -> None:
    server.replies = [reply]
    with pytest.raises(InputError, match=words):
        download_url(server.url(), target, None, HASTE)
    assert_nothing_is_left(target)


def test_a_listed_file_that_is_sent_encoded_comes_from_the_next_mirror(server: MirrorServer, target: Path) -> None:
    row = Archive(version="d", bytes=len(CONTENT), sha256=SHA256, urls=(server.url("a"), server.url("b")))
    server.replies = [gzipped]
    download_unless_there(row, target, HASTE)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("login", ["me:s3cret@", "me:s3/cr?et@", "s3cret@"])
def test_a_password_in_a_url_is_refused_and_not_repeated(target: Path, login: str) -> None:
    lines: list[str] = []
    with pytest.raises(InputError, match="must not contain a user name or password; write them into") as refused:
        download_url(f"http://{login}127.0.0.1/d.json", target, None, HASTE, lines.append)
    assert str(refused.value).startswith("http://...@127.0.0.1/d.json: must not")
    assert not lines
    assert_nothing_is_left(target)


def test_user_name_and_password_are_read_from_netrc(
    server: MirrorServer, target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server.replies = [behind_login("me", "s3cret")] * 2
    download_url(server.url(), target, None, HASTE)
    assert target.read_bytes() == CONTENT


def test_a_line_that_stays_cut_leaves_nothing(server: MirrorServer, target: Path) -> None:
    server.replies = [serve(CONTENT), cut_after(1000), *[status(503)] * 3]
    with pytest.raises(InputError, match=r"HTTP 503.*3 times in a row"):
        download_url(server.url(), target, None, HASTE)
    assert_nothing_is_left(target)


def test_a_server_that_is_not_there_is_reported(target: Path) -> None:
    with running(b"") as server:
        url = server.url()
    with pytest.raises(InputError, match="cannot be downloaded"):
        download_url(url, target, None, HASTE)
    assert_nothing_is_left(target)


def test_a_listed_file_comes_from_the_next_mirror_and_is_not_downloaded_again(
    server: MirrorServer, target: Path
) -> None:
    row = Archive(version="d.json", bytes=len(CONTENT), sha256=SHA256, urls=(server.url("a"), server.url("b")))
    server.files = {"a": b"<html>not found</html>"}
    download_unless_there(row, target, HASTE)
    assert target.read_bytes() == CONTENT
    server.requests.clear()
    digest_record(target).unlink()
    download_unless_there(row, target, HASTE)
    assert recorded_sha256(target) == SHA256
    assert not server.requests


def test_another_file_in_the_place_of_a_listed_one_is_kept_and_refused(server: MirrorServer, target: Path) -> None:
    row = Archive(version="d.json", bytes=len(CONTENT), sha256=SHA256, urls=(server.url(),))
    target.parent.mkdir()
    target.write_bytes(b"dummy")
    with pytest.raises(InputError, match=f"has 5 bytes and sha256 .*, not 300,000 bytes and sha256 {SHA256} of d.json"):
        download_unless_there(row, target, HASTE)
    assert target.read_bytes() == b"dummy"
    assert not digest_record(target).exists()
    assert not server.requests
