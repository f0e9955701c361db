import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from transpose.data.coco import ImageTable
from transpose.data.images import PictureFiles, PictureStore, read_image
from transpose.errors import InputError


@pytest.fixture
def picture() -> np.ndarray:
    y, x = np.mgrid[0:40, 0:60]
    return np.stack([x * 4, y * 6, 255 - x - y], axis=2).astype(np.uint8)


@pytest.fixture
def jpeg(tmp_path: Path, picture: np.ndarray) -> Path:
    path = tmp_path / "picture.jpg"
    cv2.imwrite(str(path), picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])
    return path


def test_channels_are_red_green_blue(jpeg, picture):
    image = read_image(jpeg)
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - picture).mean() < 2


def test_grey_and_transparent_pictures_become_three_channels(tmp_path, picture):
    for name, pixels in {"grey.png": picture[..., 0], "alpha.png": np.dstack([picture, picture[..., :1]])}.items():
        cv2.imwrite(str(tmp_path / name), pixels)
        assert read_image(tmp_path / name).shape == picture.shape


def test_exif_orientation_is_ignored(jpeg, picture):
    data = jpeg.read_bytes()
    rotated = b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"
    exif = b"\xff\xe1" + (len(rotated) + 8).to_bytes(2, "big") + b"Exif\x00\x00" + rotated
    jpeg.write_bytes(data[:2] + exif + data[2:])
    assert read_image(jpeg).shape == picture.shape


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_cut_jpegs_are_refused(jpeg, share):
    data = jpeg.read_bytes()
    jpeg.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError) as caught:
        read_image(jpeg)
    assert str(caught.value).startswith(str(jpeg))


def test_bytes_after_the_end_of_a_jpeg_are_allowed(jpeg, picture):
    jpeg.write_bytes(jpeg.read_bytes() + b"\0\0 trailer")
    assert read_image(jpeg).shape == picture.shape


def test_cut_pngs_are_refused(tmp_path, picture, capfd):
    path = tmp_path / "cut.png"
    cv2.imwrite(str(path), picture)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError):
        read_image(path)


@pytest.mark.parametrize(("content", "told"), [(None, "no such picture"), (b"", "empty"), (b"hello", "decoded")])
def test_files_that_are_no_pictures_are_refused(tmp_path, content, told):
    path = tmp_path / "picture.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=told):
        read_image(path)


def test_folders_are_no_pictures(tmp_path):
    with pytest.raises(InputError):
        read_image(tmp_path)


def table(*names: str, size_hw: tuple[int, int] = (40, 60)) -> ImageTable:
    return ImageTable(np.arange(len(names)), list(names), np.tile(np.array(size_hw, dtype=np.int32), (len(names), 1)))


def store_of(folder: Path, images: ImageTable, cache_bytes: int) -> PictureStore:
    return PictureStore(PictureFiles(folder, images), images, cache_bytes)


def test_kept_pictures_outlive_their_files(jpeg):
    store = store_of(jpeg.parent, table(jpeg.name), cache_bytes=40 * 60 * 3)
    first = store.read(0).copy()
    jpeg.unlink()
    np.testing.assert_array_equal(store.read(0), first)


def test_no_more_is_kept_than_allowed(jpeg):
    second = jpeg.with_name("second.jpg")
    second.write_bytes(jpeg.read_bytes())
    store = store_of(jpeg.parent, table(jpeg.name, second.name), cache_bytes=40 * 60 * 3 * 2 - 1)
    np.testing.assert_array_equal(store.read(0), store.read(1))
    second.unlink()
    with pytest.raises(InputError, match="no such picture"):
        store.read(1)


def test_a_copy_in_another_process_reads_the_same(jpeg):
    store = store_of(jpeg.parent, table(jpeg.name), cache_bytes=10**6)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(store)).read(0), store.read(0))


def test_pictures_of_another_size_than_annotated_are_refused(jpeg):
    files = PictureFiles(jpeg.parent, table(jpeg.name, size_hw=(60, 40)))
    with pytest.raises(InputError, match="60x40 pixels large, but annotated as 40x60"):
        files.read(0)
