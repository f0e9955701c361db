"""Archives from elsewhere: what is in them arrives whole, in its folder and nowhere else, or not at all."""

import hashlib
import io
import json
import multiprocessing
import os
import pickle
import shutil
import signal
import stat
import struct
import subprocess
import sys
import zipfile
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transpose.data.archives import Manifest, manifest_path, unpack
from transpose.data.coco import ImageTable
from transpose.data.images import ImageFiles, read_image
from transpose.data.zip_reader import ZipFolder
from transpose.errors import InputError
from transpose.files import folder_lock

ROOT = Path(__file__).parents[2]
FILES = {"val/1.jpg": np.random.default_rng(1).bytes(3000), "val/2.txt": b"text " * 2000, "val/deep/empty": b""}
METHODS = {"stored": zipfile.ZIP_STORED, "deflated": zipfile.ZIP_DEFLATED}


def zip_bytes(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def member(name: str, kind: int = stat.S_IFREG) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("placeholder")
    info.filename = name  # Not through the constructor, which would cut it at a NUL.
    info.create_system = 3
    info.external_attr = (kind | 0o644) << 16
    return info


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(params=METHODS.values(), ids=list(METHODS))
def archive(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / "val.zip"
    path.write_bytes(zip_bytes(FILES, request.param))
    return path


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """A folder two levels down; whatever happens in it, nothing may appear outside it."""
    room = tmp_path / "outside" / "room"
    room.mkdir(parents=True)
    victim = tmp_path / "outside" / "victim"
    victim.write_text("untouched")
    yield room
    assert sorted(tmp_path.joinpath("outside").iterdir()) == [room, victim]
    assert victim.read_text() == "untouched"


def test_it_unpacks_everything_and_says_what(archive, tmp_path):
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    manifest = unpack(archive, tmp_path / "out" / "val")
    assert contents(tmp_path / "out" / "val") == FILES
    assert manifest == Manifest("val.zip", digest, 3, sum(map(len, FILES.values())))
    assert json.loads(manifest_path(tmp_path / "out" / "val").read_text()) == {
        "archive": "val.zip",
        "sha256": digest,
        "files": 3,
        "bytes": 13000,
    }
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["val", "val.manifest.json"]


def test_it_can_be_used_like_any_other_folder(archive, tmp_path):
    unpack(archive, tmp_path / "val")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "val").stat().st_mode) == 0o777 & ~mask
    assert stat.S_IMODE((tmp_path / "val" / "val" / "1.jpg").stat().st_mode) == 0o666 & ~mask


def test_what_is_unpacked_stays(archive, tmp_path):
    unpack(archive, tmp_path / "val")
    before = (tmp_path / "val").stat().st_ino
    assert unpack(archive, tmp_path / "val").files == 3
    assert (tmp_path / "val").stat().st_ino == before


def test_without_its_manifest_it_is_unpacked_again(archive, tmp_path):
    unpack(archive, tmp_path / "val")
    manifest_path(tmp_path / "val").unlink()
    (tmp_path / "val" / "val" / "1.jpg").unlink()
    (tmp_path / "val" / "left over").touch()
    unpack(archive, tmp_path / "val")
    assert contents(tmp_path / "val") == FILES


def test_another_archive_replaces_the_folder(archive, tmp_path):
    unpack(archive, tmp_path / "val")
    archive.write_bytes(zip_bytes({"other": b"other"}))
    os.utime(archive, ns=(1, 1))
    assert unpack(archive, tmp_path / "val").files == 1
    assert contents(tmp_path / "val") == {"other": b"other"}


def test_folders_of_the_archive_are_made(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(zip_bytes({"empty/": b"", "a/": b"", "a/b": b"b"}))
    assert unpack(path, tmp_path / "out").files == 1
    assert (tmp_path / "out" / "empty").is_dir()
    assert (tmp_path / "out" / "a" / "b").read_bytes() == b"b"


@pytest.mark.parametrize(
    "name",
    [
        "../victim",
        "../../outside/victim",
        "val/../../victim",
        "val/..",
        "..",
        "../",
        "/etc/victim",
        "//server/victim",
        "{outside}/victim",
        "./victim",
        "val//victim",
        "val/",
        "",
        "/",
        "..\\victim",
        "\\victim",
        "C:\\victim",
        "C:victim",
        "victim\0.jpg",
        "victim\n",
        "\x1b[31mvictim",
        "..\u2028/victim",
    ],
)
def test_no_name_gets_out(tmp_path, room, name):
    name = name.format(outside=room.parent)
    path = tmp_path / "evil.zip"
    info = member(name)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("honest", b"honest")
        archive.writestr(info, b"overwritten")
    with pytest.raises(InputError) as caught:
        unpack(path, room / "out")
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert list(room.iterdir()) == []
    with pytest.raises(InputError):
        ZipFolder(path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK, stat.S_IFDIR])
def test_links_and_devices_are_refused(tmp_path, room, kind):
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member("link", kind), b"..")
        archive.writestr(member("link/victim"), b"overwritten")
    with pytest.raises(InputError, match=r"evil\.zip: 'link': is neither a file nor a folder"):
        unpack(path, room / "out")
    assert list(room.iterdir()) == []


def test_a_folder_that_claims_to_be_a_link_is_refused(tmp_path, room):
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member("link/", stat.S_IFLNK), b"..")
    with pytest.raises(InputError, match="is neither a file nor a folder"):
        unpack(path, room / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a", "a"), ("a/", "a/"), ("a/", "a"), ("a", "a/b"), ("a/b", "a")])
def test_two_members_at_one_place_are_refused(tmp_path, room, names):
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"" if name.endswith("/") else b"x")
    with pytest.raises(InputError, match=r"twice\.zip: '.*': (occurs twice|cannot be written: )"):
        unpack(path, room / "out")
    assert list(room.iterdir()) == []


def test_encrypted_members_are_refused(archive, room):
    patch(archive, b"PK\1\2", 8, b"\1\0")
    with pytest.raises(InputError, match=r"'val/1\.jpg': is encrypted"):
        unpack(archive, room / "out")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_packing_is_refused(tmp_path, room, method):
    path = tmp_path / "val.zip"
    path.write_bytes(zip_bytes(FILES, method))
    with pytest.raises(InputError, match="uses an unsupported compression method"):
        unpack(path, room / "out")


def patch(path: Path, signature: bytes, offset: int, new: bytes) -> None:
    """Overwrite bytes at an offset in the first record with a signature."""
    data = bytearray(path.read_bytes())
    start = data.index(signature) + offset
    data[start : start + len(new)] = new
    path.write_bytes(data)


def test_a_member_of_another_size_than_announced_is_refused(tmp_path, room):
    path = tmp_path / "bomb.zip"
    path.write_bytes(zip_bytes({"bomb": bytes(10**6)}))
    patch(path, b"PK\1\2", 24, struct.pack("<I", 1000))
    with pytest.raises(InputError, match=r"bomb\.zip: 'bomb': damaged: Bad CRC-32"):
        unpack(path, room / "out")
    with pytest.raises(InputError, match="is damaged: wrong size or checksum"):
        (ZipFolder(path) / "bomb").read_bytes()
    patch(path, b"PK\1\2", 24, struct.pack("<I", 2 * 10**6))
    with pytest.raises(InputError, match="has 1000000 bytes, but the archive lists 2000000"):
        unpack(path, room / "out")
    with pytest.raises(InputError, match="is damaged: wrong size or checksum"):
        (ZipFolder(path) / "bomb").read_bytes()
    assert list(room.iterdir()) == []


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_cut_archive_is_refused(archive, room, share):
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * share)])
    for read in (lambda: unpack(archive, room / "out"), lambda: ZipFolder(archive)):
        with pytest.raises(InputError, match=r"val\.zip: not a complete zip archive"):
            read()
    assert list(room.iterdir()) == []


def test_a_missing_archive_is_named(tmp_path):
    with pytest.raises(InputError, match=r"val\.zip: no such archive"):
        unpack(tmp_path / "val.zip", tmp_path / "out")
    with pytest.raises(InputError, match="Is a directory"):
        unpack(tmp_path, tmp_path / "out")


PACKED = {method: zip_bytes(FILES, method) for method in METHODS.values()}


@given(method=st.sampled_from(list(PACKED)), places=st.lists(st.floats(0, 1), min_size=1, max_size=3), data=st.data())
@settings(max_examples=80, deadline=None)
def test_flipped_bytes_never_get_through(tmp_path_factory, method, places, data):
    packed = bytearray(PACKED[method])
    for place in places:
        packed[int(place * (len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    folder = tmp_path_factory.mktemp("flipped")
    path = folder / "val.zip"
    path.write_bytes(packed)
    try:
        unpack(path, folder / "room" / "out")
    except InputError:
        assert not (folder / "room" / "out").exists()
    else:
        # A name, or the archive's comment, may have changed; the bytes are under the archive's checksums.
        assert set(contents(folder / "room" / "out").values()) <= set(FILES.values())
    assert {path.name for path in folder.iterdir()} <= {"val.zip", "val.zip.sha256.json", "room"}
    try:
        images = ZipFolder(path)
        for name in FILES:
            assert (images / name).read_bytes() in FILES.values()
    except (InputError, FileNotFoundError):
        pass


def test_an_old_folder_survives_a_bad_archive(archive, room):
    unpack(archive, room / "val")
    data = bytearray(archive.read_bytes())
    data[200] ^= 1
    archive.write_bytes(data)
    os.utime(archive, ns=(1, 1))
    with pytest.raises(InputError, match="damaged"):
        unpack(archive, room / "val")
    assert contents(room / "val") == FILES
    assert manifest_path(room / "val").is_file()


def test_the_disk_is_asked_first(archive, room, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(0, 0, 12_999))
    with pytest.raises(InputError, match=r"needs 0\.01 MB of disk, but only 0\.01 MB are free"):
        unpack(archive, room / "out")
    assert list(room.iterdir()) == []


def test_one_process_at_a_time(archive, room):
    with folder_lock(room / "out.partial"), pytest.raises(InputError, match="another process is working"):
        unpack(archive, room / "out")


def test_what_a_killed_process_left_is_cleared_away(archive, room):
    code = (
        "import os, signal, sys; from pathlib import Path; import transpose.data.archives as archives;"
        "archives.shutil.copyfileobj = lambda *_: os.kill(os.getpid(), signal.SIGKILL);"
        "archives.unpack(Path(sys.argv[1]), Path(sys.argv[2]))"
    )
    command = [sys.executable, "-c", code, str(archive), str(room / "out")]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == -signal.SIGKILL
    assert [path.name for path in room.iterdir()] == ["out.partial"]
    unpack(archive, room / "out")
    assert contents(room / "out") == FILES
    assert sorted(path.name for path in room.iterdir()) == ["out", "out.manifest.json"]


def test_the_command(archive, tmp_path):
    command = [sys.executable, "-m", "transpose", "step", "unpack", "val.zip", "--output", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "out") == FILES
    archive.write_bytes(b"no zip")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "transpose: val.zip: not a complete zip archive: File is not a zip file"
    assert "Traceback" not in done.stderr


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of four images, and an archive of it next to it."""
    folder = tmp_path / "val2017"
    folder.mkdir()
    rng = np.random.default_rng(5)
    for index in range(4):
        cv2.imwrite(str(folder / f"{index}.jpg"), rng.integers(0, 255, (20, 30, 3), dtype=np.uint8))
    return folder


def packed(folder: Path, method: int, before: bytes = b"") -> Path:
    path = folder.parent / "packed.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"{folder.name}/{file.name}")
    path.write_bytes(before + path.read_bytes())
    return path


def read_all(images: ZipFolder) -> list[bytes]:
    return [(images / f"{index}.jpg").read_bytes() for index in range(4)]


@pytest.mark.parametrize("method", METHODS.values(), ids=list(METHODS))
@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\n"])
def test_images_in_an_archive_have_the_bytes_of_the_files(images, method, before):
    inside = ZipFolder(packed(images, method, before), "val2017")
    assert len(inside.names) == 4
    assert read_all(inside) == [(images / f"{index}.jpg").read_bytes() for index in range(4)]
    for index in range(4):
        assert np.array_equal(read_image(inside / f"{index}.jpg"), read_image(images / f"{index}.jpg"))


def test_the_root_of_an_archive_is_a_folder_too(images):
    inside = ZipFolder(packed(images, zipfile.ZIP_STORED))
    assert (inside / "val2017/0.jpg").read_bytes() == (images / "0.jpg").read_bytes()


def test_an_image_store_reads_an_archive_like_a_folder(images):
    table = ImageTable(np.arange(4), [f"{index}.jpg" for index in range(4)], np.full((4, 2), (20, 30), dtype=np.int32))
    inside = ImageFiles(ZipFolder(packed(images, zipfile.ZIP_STORED), "val2017"), table)
    outside = ImageFiles(images, table)
    for store in (inside, pickle.loads(pickle.dumps(inside))):
        for position in (0, 3, 2, 1, 0):
            assert np.array_equal(store.read(position), outside.read(position))


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_processes_share_an_archive(images, start):
    inside = ZipFolder(packed(images, zipfile.ZIP_DEFLATED), "val2017")
    expected = read_all(inside)
    with multiprocessing.get_context(start).Pool(2) as pool:
        assert pool.map(read_all, [inside] * 20, chunksize=1) == [expected] * 20


def test_an_archive_is_opened_once_and_closed_with_its_folder(images):
    path = packed(images, zipfile.ZIP_STORED)

    def opened() -> int:
        return sum(os.path.realpath(link) == str(path.resolve()) for link in Path("/proc/self/fd").iterdir())

    inside = ZipFolder(path, "val2017")
    assert opened() == 0
    read_all(inside)
    other = pickle.loads(pickle.dumps(inside))
    assert opened() == 1
    read_all(other)
    assert opened() == 2
    del inside, other
    assert opened() == 0


def test_an_image_that_is_not_there_is_named(images):
    path = packed(images, zipfile.ZIP_STORED)
    for name in ("9.jpg", "../val2017/0.jpg", "/etc/passwd"):
        with pytest.raises(InputError) as caught:
            read_image(ZipFolder(path, "val2017") / name)
        assert str(caught.value) == f"{path}/val2017/{name}: no such image"
    with pytest.raises(InputError, match=r"packed\.zip: 'val2018': the archive has no files in this folder"):
        ZipFolder(path, "val2018")


def test_a_damaged_image_is_named(images):
    path = packed(images, zipfile.ZIP_STORED)
    inside = ZipFolder(path, "val2017")
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"packed\.zip: 0\.jpg: is damaged: wrong size or checksum"):
        read_image(inside / "0.jpg")
    path.write_bytes(bytes(data[:10]))
    with pytest.raises(InputError, match=r"packed\.zip: 0\.jpg: is not where the archive's directory says"):
        read_image(inside / "0.jpg")


@pytest.mark.parametrize(("place", "value"), [(42, 2**31), (20, 2**31 - 1)], ids=["header", "packed size"])
def test_a_directory_that_points_out_of_the_file_is_refused(tmp_path, place, value):
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.jpg", b"image")
    content = bytearray(path.read_bytes())
    entry = content.index(b"PK\x01\x02")
    content[entry + place : entry + place + 4] = value.to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"images\.zip"):
        (ZipFolder(path) / "a.jpg").read_bytes()
