import cv2
import numpy as np
import pytest

from transpose.data.image_size import announced_size, jpeg_size
from transpose.errors import InputError

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


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_beginning_announces_the_size(suffix):
    data = cv2.imencode(suffix, IMAGE)[1].tobytes()
    assert announced_size(data) == announced_size(data[:400]) == (37, 61)


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
