"""Decoded images on disk: the decoder's pixels or none, when other processes write, die or fill the disk."""

import multiprocessing
import os
import pickle
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from transpose.data import image_cache
from transpose.data import images as images_module
from transpose.data.coco import ImageTable
from transpose.data.image_cache import DiskImageCache
from transpose.data.images import ImageFiles, decode_image
from transpose.errors import InputError

SIZE_HW = (24, 32)
BYTES = 24 * 32 * 3
EVERYTHING = 10**6
IMAGES = 5


@pytest.fixture
def files(tmp_path: Path) -> ImageFiles:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    names = [f"{number}.jpg" for number in range(IMAGES)]
    for name in names:
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (*SIZE_HW, 3), dtype=np.uint8))
    sizes = np.tile(np.array(SIZE_HW, dtype=np.int32), (IMAGES, 1))
    return ImageFiles(folder, ImageTable(np.arange(IMAGES), names, sizes))


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the images that this process decodes."""
    names = []

    def decode(data: bytes, path: Path, as_displayed: bool) -> np.ndarray:
        names.append(path.name)
        return decode_image(data, path, as_displayed)

    monkeypatch.setattr(images_module, "decode_image", decode)
    return names


def cache_of(files: ImageFiles, tmp_path: Path, max_bytes: int = EVERYTHING) -> DiskImageCache:
    return DiskImageCache(files, tmp_path / "decoded", max_bytes)


def file_in(tmp_path: Path) -> Path:
    (path,) = (tmp_path / "decoded").iterdir()
    return path


def check_all(cache: DiskImageCache, files: ImageFiles) -> None:
    for position in range(IMAGES):
        np.testing.assert_array_equal(cache.read(position), files.read(position))


def exit_code_of_child(action: Callable[[], object]) -> int | None:
    """How a forked process ends that does `action`; negative: by that signal."""
    child = multiprocessing.get_context("fork").Process(target=action)
    child.start()
    child.join()
    return child.exitcode


def test_each_image_is_decoded_once_in_all_trainings(files: ImageFiles, tmp_path: Path, decoded: list[str]) -> None:
    first = cache_of(files, tmp_path)
    pixels = [first.read(position).copy() for position in range(IMAGES)]
    for cache in (first, cache_of(files, tmp_path), pickle.loads(pickle.dumps(first))):
        for position in (3, 0, 4, 1, 2):
            np.testing.assert_array_equal(cache.read(position), pixels[position])
    assert decoded == files.images.file_names


def test_the_rows_that_are_asked_for_are_there(files: ImageFiles, tmp_path: Path) -> None:
    cache = cache_of(files, tmp_path)
    whole = cache.read(2).copy()
    for rows in (slice(5, 9), slice(0, 1), slice(20, 24), slice(7, 7)):
        assert cache.read(2, rows).shape == whole.shape
        np.testing.assert_array_equal(cache.read(2, rows)[rows], whole[rows])


def test_the_file_stays_within_its_bound(files: ImageFiles, tmp_path: Path, decoded: list[str]) -> None:
    bound = IMAGES * 16 + 3 * BYTES - 1
    cache = cache_of(files, tmp_path, bound)
    for _ in range(2):
        for position in reversed(range(IMAGES)):
            cache.read(position)
    assert sorted(decoded) == ["0.jpg", "1.jpg", *(f"{number}.jpg" for number in (2, 2, 3, 3, 4, 4))]
    assert file_in(tmp_path).stat().st_size <= bound
    # A larger bound goes on with the same file.
    check_all(cache_of(files, tmp_path), files)
    assert file_in(tmp_path).stat().st_size == IMAGES * (16 + BYTES)


def test_a_bound_below_any_image_keeps_none(files: ImageFiles, tmp_path: Path) -> None:
    check_all(cache_of(files, tmp_path, 10), files)
    assert file_in(tmp_path).stat().st_size == 0


def test_a_changed_image_is_decoded_again(files: ImageFiles, tmp_path: Path) -> None:
    cache_of(files, tmp_path).read(1)
    (tmp_path / "images" / "1.jpg").write_bytes((tmp_path / "images" / "2.jpg").read_bytes())
    for _ in range(2):
        np.testing.assert_array_equal(cache_of(files, tmp_path).read(1), files.read(2))


@pytest.mark.parametrize("content", [b"", b"\0" * 40, b"x" * 5000, None])
def test_a_cut_or_foreign_file_is_never_believed(files: ImageFiles, tmp_path: Path, content: bytes | None) -> None:
    check_all(cache_of(files, tmp_path), files)
    path = file_in(tmp_path)
    path.write_bytes(path.read_bytes()[: 16 * IMAGES + BYTES // 2] if content is None else content)
    check_all(cache_of(files, tmp_path), files)
    check_all(cache_of(files, tmp_path), files)


def test_a_file_that_is_cut_under_a_reader_is_no_end(files: ImageFiles, tmp_path: Path) -> None:
    cache = cache_of(files, tmp_path)
    check_all(cache, files)
    os.truncate(file_in(tmp_path), 100)
    check_all(cache, files)


def test_pixels_that_a_crash_of_the_machine_left_out_are_noticed(files: ImageFiles, tmp_path: Path) -> None:
    check_all(cache_of(files, tmp_path), files)
    with file_in(tmp_path).open("r+b") as stream:
        stream.seek(16 * IMAGES + 2 * BYTES + 700)
        stream.write(b"\0" * 64)
    check_all(cache_of(files, tmp_path), files)


@pytest.mark.parametrize("survived", range(0, 5 * BYTES, BYTES // 3))
def test_a_writer_that_is_killed_leaves_nothing_that_is_taken(files: ImageFiles, tmp_path: Path, survived: int) -> None:
    """A worker dies by SIGKILL within a write, after `survived` bytes in all."""
    cache = cache_of(files, tmp_path)

    def die_on_the_way() -> None:
        left, write = survived, os.pwrite

        def pwrite(handle: int, content: memoryview, start: int) -> int:
            nonlocal left
            written = write(handle, content[:left], start)
            left -= written
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)
            return written

        image_cache.os.pwrite = pwrite
        check_all(cache, files)

    assert exit_code_of_child(die_on_the_way) == -signal.SIGKILL
    check_all(cache, files)
    check_all(cache_of(files, tmp_path), files)


def test_writers_at_the_same_time_agree(files: ImageFiles, tmp_path: Path, decoded: list[str]) -> None:
    def write_again_and_again() -> None:
        for _ in range(30):
            check_all(cache_of(files, tmp_path), files)

    context = multiprocessing.get_context("fork")
    children = [context.Process(target=write_again_and_again) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0, 0]
    decoded.clear()
    cache = cache_of(files, tmp_path)
    for position in range(IMAGES):
        cache.read(position)
    assert decoded == []


def test_a_full_disk_is_one_line_and_no_end(
    files: ImageFiles, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The kernel refuses to let files grow, in the midst of the second image."""
    cache = cache_of(files, tmp_path)

    def fill() -> None:
        limit = IMAGES * 16 + BYTES + 500
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        for _ in range(2):
            check_all(cache, files)

    # The second child sees that the first stopped caching, as workers of later epochs do.
    assert [exit_code_of_child(fill), exit_code_of_child(fill)] == [0, 0]
    assert capfd.readouterr().err == (
        f"transpose: {tmp_path}/decoded: stopped caching decoded images: File too large\n"
    )
    check_all(cache_of(files, tmp_path), files)


def test_a_folder_that_cannot_be_made_is_one_line_and_no_end(
    files: ImageFiles, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "decoded").write_text("a file in the place of the folder, which stops even a superuser")
    check_all(cache_of(files, tmp_path), files)
    assert capfd.readouterr().err == f"transpose: {tmp_path}/decoded: decoded images are not cached: File exists\n"


@pytest.mark.skipif(os.geteuid() == 0, reason="a superuser may write anywhere")
def test_a_read_only_folder_is_one_line_and_no_end(
    files: ImageFiles, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "decoded").mkdir(mode=0o555)
    check_all(cache_of(files, tmp_path), files)
    assert "decoded images are not cached: Permission denied" in capfd.readouterr().err


def test_broken_images_are_reported_as_without_a_cache(files: ImageFiles, tmp_path: Path) -> None:
    broken = tmp_path / "images" / "3.jpg"
    broken.write_bytes(broken.read_bytes()[:200])
    for _ in range(2):
        with pytest.raises(InputError) as caught:
            cache_of(files, tmp_path).read(3)
        assert caught.value.file == broken


def test_unused_cache_files_are_removed(files: ImageFiles, tmp_path: Path) -> None:
    used = cache_of(files, tmp_path)
    used.read(0)
    first = file_in(tmp_path)
    sizes = files.images.sizes_hw
    others = ImageFiles(files.folder, ImageTable(np.arange(2), ["1.jpg", "2.jpg"], sizes[:2]))
    second = cache_of(others, tmp_path)
    assert first.exists()
    np.testing.assert_array_equal(used.read(0), files.read(0))
    del used
    del second
    cache_of(others, tmp_path)
    assert not first.exists()


def test_a_deleted_folder_takes_nothing_from_a_reader(files: ImageFiles, tmp_path: Path) -> None:
    cache = cache_of(files, tmp_path)
    cache.read(0)
    file_in(tmp_path).unlink()
    (tmp_path / "decoded").rmdir()
    check_all(cache, files)
    check_all(cache_of(files, tmp_path), files)


def test_another_decoder_has_a_file_of_its_own(
    files: ImageFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = cache_of(files, tmp_path)
    monkeypatch.setattr(cv2, "__version__", "0.0")
    other = cache_of(files, tmp_path)
    assert len(list((tmp_path / "decoded").iterdir())) == 2
    check_all(cache, files)
    check_all(other, files)
