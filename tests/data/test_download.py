"""Downloads from a server that misbehaves in every way we know: the bytes are right in the end, or it says why not."""

import fcntl
import hashlib
import json
import os
import queue
import resource
import shutil
import signal
import subprocess
import sys
from collections import namedtuple
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mirror_server import (
    Handler,
    MirrorServer,
    cut_after,
    honest,
    ignore_range,
    partial_content,
    redirect_to,
    running,
    send_file,
    serve,
    stall,
    status,
    without_length,
)

from transpose.config.download import Archive, load_archive
from transpose.data.digests import digest_record, remembered_sha256
from transpose.data.download import Patience, download, partial_path
from transpose.data.mirror import CHUNK_BYTES
from transpose.errors import InputError

ROOT = Path(__file__).parents[2]
CONTENT = np.random.default_rng(3).bytes(5 * CHUNK_BYTES + 123)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
WRONG = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
WRONG_SHA256 = hashlib.sha256(WRONG).hexdigest()
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def server() -> Iterator[MirrorServer]:
    with running(CONTENT) as server:
        yield server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "archive.zip"


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def patience(pauses: list[float]) -> Patience:
    return Patience(tries=4, timeouts=(5.0, 5.0), sleep=pauses.append)


def archive_at(*urls: str) -> Archive:
    return Archive(version="test", bytes=len(CONTENT), sha256=SHA256, urls=urls)


def leave_partial(target: Path, content: bytes) -> None:
    partial = partial_path(target, archive_at("http://nowhere/x"))
    partial.parent.mkdir()
    partial.write_bytes(content)


def starts(server: MirrorServer) -> list[int]:
    return [int(span.removeprefix("bytes=").rstrip("-")) if span else 0 for span in server.ranges]


def test_a_good_server_is_asked_once(server, target, patience, pauses):
    download(archive_at(server.url()), target, patience)
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None]
    assert pauses == []
    assert sorted(path.name for path in target.parent.iterdir()) == ["archive.zip", "archive.zip.sha256.json"]


def test_a_cut_line_is_taken_up_where_it_was_cut(server, target, patience, pauses):
    server.replies = [cut_after(100_000)] * 3
    download(archive_at(server.url()), target, patience)
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 4
    assert all(later - earlier == CHUNK_BYTES for earlier, later in pairwise(starts(server)))
    assert pauses == [1.0] * 3, "a try that brought bytes is no failure in a row"


@given(cuts=st.lists(st.integers(0, len(CONTENT)), max_size=8), ignored=st.lists(st.booleans(), min_size=8, max_size=8))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_the_cuts_the_bytes_are_right_and_none_is_lost_twice(tmp_path_factory, cuts, ignored):
    target = tmp_path_factory.mktemp("cuts") / "archive.zip"
    with running(CONTENT) as server:
        server.replies = [
            (lambda handler, cut=cut: handler.send(200, {"Content-Length": len(CONTENT)}, CONTENT[:cut]))
            if ignores
            else cut_after(cut)
            for cut, ignores in zip(cuts, ignored, strict=False)
        ]
        download(archive_at(server.url()), target, Patience(tries=10, sleep=lambda seconds: None))
        assert starts(server) == sorted(starts(server))
    assert target.read_bytes() == CONTENT


def test_a_later_run_goes_on(server, target, pauses):
    server.replies = [cut_after(100_000), status(503)]
    with pytest.raises(InputError, match=r"HTTP 503 Service Unavailable \(1 times in a row\)"):
        download(archive_at(server.url()), target, Patience(tries=1, sleep=pauses.append))
    assert not target.exists()
    download(archive_at(server.url()), target)
    assert target.read_bytes() == CONTENT
    assert starts(server) == [0, CHUNK_BYTES, CHUNK_BYTES]


def test_a_killed_download_goes_on(server, target, patience):
    process_ids: queue.Queue[int] = queue.Queue()

    def kill_client(handler: Handler) -> None:
        send_file(handler, CONTENT, 70_000)
        os.kill(process_ids.get(), signal.SIGKILL)

    server.replies = [cut_after(150_000), kill_client]
    code = (
        "import sys; from pathlib import Path; from transpose.config.download import Archive;"
        "from transpose.data.download import Patience, download;"
        "download(Archive.model_validate_json(sys.argv[1]), Path(sys.argv[2]), Patience(sleep=lambda seconds: None))"
    )
    archive = archive_at(server.url())
    command = [sys.executable, "-c", code, archive.model_dump_json(), str(target)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        process_ids.put(process.pid)
    assert process.returncode == -signal.SIGKILL
    assert not target.exists()
    download(archive, target, patience)
    assert target.read_bytes() == CONTENT
    assert starts(server)[:2] == [0, 2 * CHUNK_BYTES]
    assert starts(server)[2] >= 2 * CHUNK_BYTES


def test_a_server_that_ignores_the_range_is_read_past_what_is_there(server, target, patience):
    leave_partial(target, CONTENT[:100_001])
    server.replies = [ignore_range]
    download(archive_at(server.url()), target, patience)
    assert target.read_bytes() == CONTENT
    assert server.ranges == ["bytes=100001-"]


def test_a_page_instead_of_the_file_does_not_cost_what_is_there(server, target, patience):
    leave_partial(target, CONTENT[:100_001])
    server.replies = [without_length(b"<html>please log in</html>")] * 2
    download(archive_at(server.url()), target, patience)
    assert target.read_bytes() == CONTENT
    assert server.ranges == ["bytes=100001-"] * 3


def test_a_complete_partial_file_needs_no_server(server, target, patience):
    leave_partial(target, CONTENT)
    download(archive_at(server.url()), target, patience)
    assert target.read_bytes() == CONTENT
    assert server.requests == []


def test_a_partial_file_that_is_too_long_is_worth_nothing(server, target, patience):
    leave_partial(target, CONTENT + b"more")
    download(archive_at(server.url()), target, patience)
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None]


def test_an_unsatisfiable_range_is_asked_for_as_a_whole(server, target, patience):
    leave_partial(target, CONTENT[:200_000])
    server.replies = [status(416, Content_Range=f"bytes */{len(CONTENT)}")]
    download(archive_at(server.url()), target, patience)
    assert target.read_bytes() == CONTENT
    assert server.ranges == ["bytes=200000-", None]


@pytest.mark.parametrize(
    ("reply", "problem"),
    [
        (serve(CONTENT[:1000]), f"has 1000 bytes, not {len(CONTENT)}"),
        (serve(CONTENT + b"more"), f"has {len(CONTENT) + 4} bytes, not {len(CONTENT)}"),
        (partial_content("bytes 200001-200004/*", b"more"), "the server returned another byte range than requested"),
        (partial_content("pages 1-2/3", b"more"), "the server returned another byte range than requested"),
        (partial_content("bytes 200000-200003/200004", b"more"), f"has 200004 bytes, not {len(CONTENT)}"),
        (status(404), "HTTP 404 Not Found"),
        (status(403), "HTTP 403 Forbidden"),
        (redirect_to("gopher://127.0.0.1/archive.zip"), "No connection adapters were found"),
    ],
)
def test_a_mirror_that_has_another_file_gives_way_to_the_next(server, target, patience, pauses, reply, problem):
    leave_partial(target, CONTENT[:200_000])
    server.replies = [reply]
    lines: list[str] = []
    download(archive_at(server.url("first"), server.url("second")), target, patience, lines.append)
    assert target.read_bytes() == CONTENT
    assert server.requests == [("/first", "bytes=200000-"), ("/second", "bytes=200000-")]
    assert f"{server.url('first')}: {problem}" in lines[0]
    assert pauses == []


def test_when_every_mirror_fails_each_is_named(server, target, patience, pauses):
    server.replies = [status(404), status(500), status(500), status(500), status(500)]
    with pytest.raises(InputError) as caught:
        download(archive_at(server.url("first"), server.url("second")), target, patience)
    assert str(caught.value) == (
        f"{target}: cannot be downloaded: {server.url('first')}: HTTP 404 Not Found;"
        f" {server.url('second')}: HTTP 500 Internal Server Error (4 times in a row)"
    )
    assert pauses == [1.0, 2.0, 4.0]


def test_a_busy_server_is_given_time(server, target, patience, pauses):
    server.replies = [status(503), status(503), status(429, Retry_After=30)]
    download(archive_at(server.url()), target, patience)
    assert target.read_bytes() == CONTENT
    assert pauses == [1.0, 2.0, 30.0]


def test_pauses_have_an_end():
    assert Patience().pause(1000, 0.0) == Patience().pause(1, 10.0**9) == 60.0


def test_a_silent_server_is_asked_again(server, target, pauses):
    server.replies = [stall]
    download(archive_at(server.url()), target, Patience(timeouts=(5.0, 0.05), sleep=pauses.append))
    assert target.read_bytes() == CONTENT
    assert pauses == [1.0]


def test_a_server_that_is_not_there_is_named(target, patience, pauses):
    with running(b"") as gone:
        url = gone.url()
    with pytest.raises(InputError, match=r"archive.zip: .*Connection refused \(4 times in a row\)"):
        download(archive_at(url), target, patience)
    assert pauses == [1.0, 2.0, 4.0]


def test_a_wrong_byte_costs_one_new_download(server, target, patience):
    server.replies = [serve(WRONG)]
    download(archive_at(server.url()), target, patience)
    assert target.read_bytes() == CONTENT
    assert server.ranges == [None, None]
    assert sorted(path.name for path in target.parent.iterdir()) == ["archive.zip", "archive.zip.sha256.json"]


def test_after_a_wrong_byte_the_next_mirror_is_asked(server, target, patience):
    server.replies = [serve(WRONG)]
    download(archive_at(server.url("first"), server.url("second")), target, patience)
    assert server.requests == [("/first", None), ("/second", None)]


def test_wrong_bytes_are_downloaded_twice_and_never_again(server, target, patience):
    archive = archive_at(server.url())
    server.replies = [serve(WRONG)] * 2
    for _ in range(3):
        with pytest.raises(InputError) as caught:
            download(archive, target, patience)
        assert f"{server.url()}: sha256 is {WRONG_SHA256}, not {SHA256}" in str(caught.value)
        assert f"delete {target}.wrong.json to try again" in str(caught.value)
        assert [path.name for path in target.parent.iterdir()] == ["archive.zip.wrong.json"]
    assert len(server.requests) == 2
    (target.parent / "archive.zip.wrong.json").unlink()
    download(archive, target, patience)
    assert target.read_bytes() == CONTENT


def test_wrong_downloads_count_across_runs(server, target, patience):
    archive = archive_at(server.url("first"), server.url("second"))
    server.replies = [serve(WRONG), status(404), status(404), serve(WRONG)]
    for _ in range(2):
        with pytest.raises(InputError, match="HTTP 404"):
            download(archive, target, patience)
    for _ in range(2):
        with pytest.raises(InputError, match="second: sha256 is"):
            download(archive, target, patience)
    assert [path for path, _ in server.requests] == ["/first", "/second", "/second", "/second"]


def test_another_mirror_in_the_table_is_a_new_chance(server, target, patience):
    server.replies = [serve(WRONG)] * 2
    with pytest.raises(InputError):
        download(archive_at(server.url()), target, patience)
    download(archive_at(server.url("other")), target, patience)
    assert target.read_bytes() == CONTENT


def test_bytes_after_the_end_are_not_taken(server, target, patience):
    server.replies = [without_length(CONTENT + b"more")]
    download(archive_at(server.url()), target, patience)
    assert target.read_bytes() == CONTENT


def test_redirects_are_followed_and_keep_the_range(server, target, patience):
    leave_partial(target, CONTENT[:1000])
    server.replies = [redirect_to(server.url("elsewhere"))]
    download(archive_at(server.url()), target, patience)
    assert target.read_bytes() == CONTENT
    assert server.requests == [("/archive.zip", "bytes=1000-"), ("/elsewhere", "bytes=1000-")]


def test_a_proxy_of_the_environment_is_used(server, target, patience, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url("").rstrip("/"))
    url = "http://archives.invalid/archive.zip"
    download(archive_at(url), target, patience)
    assert target.read_bytes() == CONTENT
    assert server.requests == [(url, None)]


def test_a_file_that_is_there_is_proven_once_and_then_believed(server, target, patience, monkeypatch):
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    download(archive_at(server.url()), target, patience)
    monkeypatch.setattr("transpose.data.digests.sha256_of_file", lambda path: pytest.fail("hashed again"))
    download(archive_at(server.url()), target, patience)
    assert server.requests == []


@pytest.mark.parametrize("content", [b"short", WRONG])
def test_a_wrong_file_that_is_there_is_replaced(server, target, patience, content):
    target.parent.mkdir()
    target.write_bytes(content)
    lines: list[str] = []
    download(archive_at(server.url()), target, patience, lines.append)
    assert target.read_bytes() == CONTENT
    assert len(server.requests) == 1
    assert str(target) in lines[0]


def test_a_file_that_was_changed_is_hashed_again(target):
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    assert remembered_sha256(target) == SHA256
    target.write_bytes(WRONG)
    os.utime(target, ns=(1, 1))
    assert remembered_sha256(target) == WRONG_SHA256


@pytest.mark.parametrize("record", ["", "[]", '{"sha256": 3}', '{"bytes": null}'])
def test_a_damaged_digest_record_is_rewritten(target, record):
    target.parent.mkdir()
    target.write_bytes(CONTENT)
    digest_record(target).write_text(record)
    assert remembered_sha256(target) == SHA256
    assert json.loads(digest_record(target).read_text())["sha256"] == SHA256


def test_the_disk_is_asked_first(server, target, patience, monkeypatch):
    usage = namedtuple("usage", "total used free")
    leave_partial(target, CONTENT[:100_000])
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 227_802))
    with pytest.raises(InputError) as caught:
        download(archive_at(server.url()), target, patience)
    assert str(caught.value) == f"{target}: needs 0.23 MB of disk, but only 0.23 MB are free"
    assert server.requests == []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 227_803))
    download(archive_at(server.url()), target, patience)


def test_one_process_at_a_time(server, target, patience):
    archive = archive_at(server.url())
    leave_partial(target, b"")
    with partial_path(target, archive).open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process is downloading this file"):
            download(archive, target, patience)
    assert server.requests == []


def test_a_place_that_cannot_be_written_is_named(server, target, patience):
    target.parent.write_text("no folder")
    with pytest.raises(InputError, match=r"archive\.zip: cannot be written: "):
        download(archive_at(server.url()), target, patience)


def test_a_full_disk_is_named_and_what_fitted_is_kept(server, target, patience):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(InputError, match=r"archive\.zip: cannot be written: the file size limit is reached"):
            download(archive_at(server.url()), target, patience)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    download(archive_at(server.url()), target, patience)
    assert target.read_bytes() == CONTENT
    assert CHUNK_BYTES <= starts(server)[1] <= 100_000


def test_the_table_that_ships_names_https_mirrors():
    table = ROOT / "config" / "tables" / "downloads.yaml"
    sizes = {name: load_archive(name, table).bytes for name in ("train2017", "val2017", "annotations_trainval2017")}
    assert sizes == {"train2017": 19_336_861_798, "val2017": 815_585_330, "annotations_trainval2017": 252_907_541}
    for name in (*sizes, "test2017", "image_info_test2017"):
        assert all(
            url.startswith("https://") and url.endswith(f"/{name}.zip") for url in load_archive(name, table).urls
        )
    with pytest.raises(InputError, match=r"no archive 'val2018'; known are train2017, val2017"):
        load_archive("val2018", table)


@pytest.mark.parametrize(
    ("key", "value"),
    [("sha256", "00"), ("urls", []), ("urls", ["file:///etc/passwd"]), ("bytes", 0), ("colour", "red")],
)
def test_a_wrong_table_is_named(tmp_path, key, value):
    table = tmp_path / "downloads.yaml"
    row = archive_at("http://127.0.0.1/x").model_dump(mode="json") | {key: value}
    table.write_text(json.dumps({"archives": {"val": row}}))
    with pytest.raises(InputError, match=rf"downloads\.yaml: archives\.val\.{key}"):
        load_archive("val", table)


def test_the_command(server, tmp_path):
    server.replies = [honest, status(404)]
    rows = {name: archive_at(server.url(name)).model_dump(mode="json") for name in ("good", "missing")}
    (tmp_path / "downloads.yaml").write_text(json.dumps({"archives": rows}))
    command = [
        sys.executable,
        "-m",
        "transpose",
        "step",
        "download-archive",
        "--folder",
        tmp_path,
        "--table",
        "downloads.yaml",
    ]
    for name, expected in {"good": 0, "missing": 1}.items():
        done = subprocess.run([*command, name], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == expected, done.stderr
        assert "Traceback" not in done.stderr
        assert (f"{name}.zip: cannot be downloaded: {server.url(name)}: HTTP 404" in done.stderr) == bool(expected)
    assert (tmp_path / "good.zip").read_bytes() == CONTENT
