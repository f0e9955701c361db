import io
import pickle
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from transpose.data.coco import ImageTable
from transpose.data.image_cache import ImageCache
from transpose.data.images import ImageFiles, announced_size, jpeg_size, read_image
from transpose.errors import InputError


@pytest.fixture
def pixels() -> np.ndarray:
    y, x = np.mgrid[0:40, 0:60]
    return np.stack([x * 4, y * 6, 255 - x - y], axis=2).astype(np.uint8)


@pytest.fixture
def jpeg(tmp_path: Path, pixels: np.ndarray) -> Path:
    path = tmp_path / "image.jpg"
    cv2.imwrite(str(path), pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])
    return path


def test_channels_are_red_green_blue(jpeg, pixels):
    image = read_image(jpeg)
    assert image.dtype == np.uint8
    assert np.abs(image.astype(int) - pixels).mean() < 2


def test_grey_and_transparent_images_become_three_channels(tmp_path, pixels):
    for name, values in {"grey.png": pixels[..., 0], "alpha.png": np.dstack([pixels, pixels[..., :1]])}.items():
        cv2.imwrite(str(tmp_path / name), values)
        assert read_image(tmp_path / name).shape == pixels.shape


def test_exif_orientation_is_ignored(jpeg, pixels):
    data = jpeg.read_bytes()
    rotated = b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x00\x00\x00\x00"
    exif = b"\xff\xe1" + (len(rotated) + 8).to_bytes(2, "big") + b"Exif\x00\x00" + rotated
    jpeg.write_bytes(data[:2] + exif + data[2:])
    assert read_image(jpeg).shape == pixels.shape


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
def test_cut_jpegs_are_refused(jpeg, share):
    data = jpeg.read_bytes()
    jpeg.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError) as caught:
        read_image(jpeg)
    assert str(caught.value).startswith(str(jpeg))


def test_bytes_after_the_end_of_a_jpeg_are_allowed(jpeg, pixels):
    jpeg.write_bytes(jpeg.read_bytes() + b"\0\0 trailer")
    assert read_image(jpeg).shape == pixels.shape


def test_cut_pngs_are_refused(tmp_path, pixels, capfd):
    path = tmp_path / "cut.png"
    cv2.imwrite(str(path), pixels)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(InputError):
        read_image(path)


def test_a_png_of_some_bytes_that_announces_two_gigabytes_is_not_decoded(tmp_path, pixels, monkeypatch):
    path = tmp_path / "long.png"
    cv2.imwrite(str(path), pixels)
    data = bytearray(path.read_bytes())
    struct.pack_into(">I", data, data.index(b"IDAT") - 4, 0x7F7F0000)
    path.write_bytes(data)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(InputError, match=r"long\.png: the image is truncated"):
        read_image(path)


@pytest.mark.parametrize(("content", "words"), [(None, "no such image"), (b"", "empty"), (b"hello", "decoded")])
def test_files_that_are_no_images_are_refused(tmp_path, content, words):
    path = tmp_path / "image.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_image(path)


def test_folders_are_no_images(tmp_path):
    with pytest.raises(InputError):
        read_image(tmp_path)


def table(*names: str, size_hw: tuple[int, int] = (40, 60)) -> ImageTable:
    return ImageTable(np.arange(len(names)), list(names), np.tile(np.array(size_hw, dtype=np.int32), (len(names), 1)))


def store_of(folder: Path, images: ImageTable, cache_bytes: int) -> ImageCache:
    return ImageCache(ImageFiles(folder, images), images, cache_bytes)


def test_kept_images_outlive_their_files(jpeg):
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
    with pytest.raises(InputError, match="no such image"):
        store.read(1)


def test_a_copy_in_another_process_reads_the_same(jpeg):
    store = store_of(jpeg.parent, table(jpeg.name), cache_bytes=10**6)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(store)).read(0), store.read(0))


def test_images_of_another_size_than_annotated_are_refused(jpeg):
    files = ImageFiles(jpeg.parent, table(jpeg.name, size_hw=(60, 40)))
    with pytest.raises(InputError, match="60x40 pixels, but annotated as 40x60"):
        files.read(0)


def png_that_announces(width: int, height: int) -> bytes:
    """A file of some bytes that claims to be large."""
    data = cv2.imencode(".png", np.zeros((1, 1, 3), dtype=np.uint8))[1].tobytes()
    header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


def test_more_pixels_than_can_be_decoded_are_refused(jpeg):
    jpeg.write_bytes(png_that_announces(60_000, 60_000))
    with pytest.raises(InputError, match="cannot be decoded: pixels <= CV_IO_MAX_IMAGE_PIXELS"):
        read_image(jpeg)


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_pixels_that_no_annotation_announces_are_not_decoded(jpeg, kind, monkeypatch):
    images = table(jpeg.name)
    content = jpeg.read_bytes().replace(struct.pack(">HH", 40, 60), struct.pack(">HH", 20_000, 20_000), 1)
    jpeg.write_bytes(png_that_announces(20_000, 20_000) if kind == "png" else content)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(InputError, match=r"image\.jpg: is 20000x20000 pixels, but annotated as 60x40"):
        ImageFiles(jpeg.parent, images).read(0)


def bomb(kind: str) -> bytes:
    """A small file that announces many pixels."""
    if kind == "tiff":
        stream = io.BytesIO()
        Image.new("1", (20_000, 5_000)).save(stream, "TIFF", compression="group4")
        return stream.getvalue()
    data = bytearray(cv2.imencode(f".{kind}", np.zeros((1, 1, 3), dtype=np.uint8))[1].tobytes())
    place, form = {"bmp": (18, "<II"), "gif": (6, "<HH")}[kind]
    struct.pack_into(form, data, place, 20_000, 5_000)
    return bytes(data)


@pytest.mark.parametrize("kind", ["bmp", "gif", "tiff"])
def test_bombs_of_other_formats_are_not_decoded_either(tmp_path, kind, monkeypatch):
    data = bomb(kind)
    assert len(data) < 10_000
    (tmp_path / "bomb").write_bytes(data)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(InputError, match="bomb: is 20000x5000 pixels, but annotated as 60x40"):
        ImageFiles(tmp_path, table("bomb")).read(0)


def test_more_pixels_than_any_image_has_are_one_line(tmp_path, monkeypatch):
    data = bytearray(bomb("bmp"))
    struct.pack_into("<II", data, 18, 2**30, 2**30)
    (tmp_path / "bomb").write_bytes(data)
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(InputError, match=r"bomb: Image size \(\d+ pixels\) exceeds limit"):
        ImageFiles(tmp_path, table("bomb")).read(0)


@pytest.mark.parametrize("kind", ["webp", "bmp", "tiff", "png"])
def test_images_of_other_formats_are_read(tmp_path, pixels, kind):
    path = tmp_path / f"image.{kind}"
    cv2.imwrite(str(path), pixels[..., ::-1])
    image = ImageFiles(tmp_path, table(path.name)).read(0)
    assert np.abs(image.astype(int) - pixels).mean() < 6


def test_formats_without_a_size_are_refused(tmp_path, pixels, monkeypatch):
    path = tmp_path / "image.hdr"
    cv2.imwrite(str(path), pixels.astype(np.float32))
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(InputError, match=r"image\.hdr: not an image that can be decoded"):
        ImageFiles(tmp_path, table(path.name)).read(0)


def test_other_kinds_of_pixels_become_eight_bits_of_three_colours(tmp_path, pixels):
    deep = tmp_path / "deep.png"
    cv2.imwrite(str(deep), pixels[..., ::-1].astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_image(deep), pixels)
    four_inks = tmp_path / "four_inks.jpg"
    Image.fromarray(pixels).convert("CMYK").save(four_inks, quality=100)
    assert np.abs(read_image(four_inks).astype(int) - pixels).mean() < 4


IMAGE = np.zeros((37, 61, 3), dtype=np.uint8)


@pytest.mark.parametrize("options", [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 1]])
def test_the_size_is_the_decoded_image_s(tmp_path, options):
    path = tmp_path / "image.jpg"
    cv2.imwrite(str(path), IMAGE, options)
    assert jpeg_size(path) == (37, 61)


def test_other_headers_and_padding_before_the_frame_are_passed_over(tmp_path):
    path = tmp_path / "image.jpg"
    data = cv2.imencode(".jpg", IMAGE)[1].tobytes()
    # A thumbnail inside an application's header has a frame of its own.
    thumbnail = b"\xff\xe1" + (2 + len(data[:40])).to_bytes(2) + data[:40]
    path.write_bytes(data[:2] + thumbnail + b"\xff\xff\xff" + data[3:])
    assert jpeg_size(path) == (37, 61)


@pytest.mark.parametrize("data", [b"", b"\xff", b"no image", b"\xff\xd8", b"\xff\xd8\xff\xc0\x00\x11\x08\x00"])
def test_what_has_no_size_is_refused(tmp_path, data):
    path = tmp_path / "image.jpg"
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"image\.jpg: not a JPEG with a size"):
        jpeg_size(path)


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(InputError, match=r"gone\.jpg: no such image"):
        jpeg_size(tmp_path / "gone.jpg")


@pytest.mark.parametrize(("suffix", "enough"), [(".jpg", 640), (".png", 24)])
def test_a_header_announces_the_size(suffix, enough):
    data = cv2.imencode(suffix, IMAGE)[1].tobytes()
    assert announced_size(data) == announced_size(data[:enough]) == (37, 61)


def test_a_jpeg_that_is_cut_too_early_announces_nothing():
    assert announced_size(cv2.imencode(".jpg", IMAGE)[1].tobytes()[:20]) is None
    assert announced_size(b"") is None


@pytest.mark.parametrize("suffix", [".bmp", ".gif", ".webp", ".tiff", ".ppm"])
def test_other_formats_announce_their_size_too(suffix):
    assert announced_size(cv2.imencode(suffix, IMAGE)[1].tobytes()) == (37, 61)


@pytest.mark.parametrize(
    "data", [b"hello", b"BM" + b"\xff" * 60, b"II*\0" + b"\xff" * 50, cv2.imencode(".png", IMAGE)[1].tobytes()[:20]]
)
def test_what_is_no_image_is_reported(data):
    with pytest.raises(ValueError, match="not an image that can be decoded"):
        announced_size(data)
