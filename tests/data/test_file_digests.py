"""Digests follow the content of files, whatever their time stamps, and unchanged files are not read again."""

import os
from pathlib import Path

import pytest

from transpose.data import file_digests as module
from transpose.data.file_digests import IMAGE_DIGESTS, FileDigests, images_sha256
from transpose.files import read_json, sha256_of_file, write_json


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """Annotations of three images, of which the last one is missing."""
    (tmp_path / "images").mkdir()
    for name in ("a", "b", "unlisted"):
        (tmp_path / "images" / f"{name}.jpg").write_bytes(name.encode() * 9)
    images = [{"id": number, "file_name": f"{name}.jpg"} for number, name in enumerate(("a", "b", "missing"))]
    write_json(tmp_path / "annotations.json", {"images": images})
    return tmp_path / "annotations.json"


def replace_behind_the_back(path: Path, content: bytes) -> None:
    """Give a file other content and its old time of modification."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_digest_is_kept_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HASHED_AT_ONCE", 1)
    path, cache = tmp_path / "weights", tmp_path / "cache.json"
    path.write_bytes(b"one")
    first = FileDigests(cache)
    assert first.sha256(path) == sha256_of_file(path)
    first.save()
    with monkeypatch.context() as patched:
        patched.setattr(module, "sha256_of_file", lambda _: pytest.fail("read again"))
        assert FileDigests(cache).sha256(path) == sha256_of_file(path)
    replace_behind_the_back(path, b"two")
    assert FileDigests(cache).sha256(path) == sha256_of_file(path)
    path.unlink()
    assert FileDigests(cache).sha256(path) is None


def test_a_broken_cache_is_an_empty_one(tmp_path: Path) -> None:
    cache = tmp_path / "cache.json"
    cache.write_text("[1, ")
    assert FileDigests(cache).sha256(cache) == sha256_of_file(cache)


def test_images_are_those_that_the_annotations_list(split: Path) -> None:
    before = images_sha256(split)
    (split.parent / "images" / "unlisted.jpg").write_bytes(b"other")
    assert images_sha256(split) == before
    replace_behind_the_back(split.parent / "images" / "a.jpg", b"c" * 9)
    assert images_sha256(split) != before


def test_a_missing_image_counts(split: Path) -> None:
    before = images_sha256(split)
    (split.parent / "images" / "missing.jpg").write_bytes(b"here")
    assert images_sha256(split) != before


def test_digests_of_many_images_are_kept_next_to_the_annotations(split: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_IMAGES_HASHED_AT_ONCE", 1)
    images_sha256(split)
    assert not split.with_name(IMAGE_DIGESTS).exists()  # an image is missing
    (split.parent / "images" / "missing.jpg").write_bytes(b"here")
    before = images_sha256(split)
    assert len(read_json(split.with_name(IMAGE_DIGESTS))) == 4
    with monkeypatch.context() as patched:
        patched.setattr(module, "sha256_of_file", lambda _: pytest.fail("read again"))
        patched.setattr(module, "read_json", lambda _: pytest.fail("read again"))
        assert images_sha256(split) == before
    replace_behind_the_back(split.parent / "images" / "b.jpg", b"d" * 9)
    assert images_sha256(split) != before


def test_a_folder_has_the_same_digest_wherever_it_is(split: Path) -> None:
    before = images_sha256(split)
    moved = split.parent.with_name("moved")
    split.parent.rename(moved)
    assert images_sha256(moved / split.name) == before
