"""The size in an image's header is checked before the image is decoded."""

import struct

import cv2
import numpy as np
import pytest

from transpose.data.image_bytes import ImageTooLargeError, decode_limited
from transpose.errors import InputError

IMAGE = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(6, 8, 3)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".webp"])
def test_a_small_image_is_decoded(suffix: str) -> None:
    options = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
    data = cv2.imencode(suffix, IMAGE[..., ::-1], options)[1].tobytes()
    np.testing.assert_array_equal(decode_limited(data, 48), IMAGE)
    with pytest.raises(ImageTooLargeError, match="is 8x6 pixels; at most 47 are accepted"):
        decode_limited(data, 47)


def test_a_small_file_that_declares_200_megapixels_is_not_decoded() -> None:
    data = bytearray(cv2.imencode(".png", IMAGE)[1].tobytes())
    data[16:24] = struct.pack(">II", 20000, 10000)
    with pytest.raises(ImageTooLargeError, match="is 20000x10000 pixels"):
        decode_limited(bytes(data), 50_000_000)


@pytest.mark.parametrize("data", [b"", b"words", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="image: not an image that can be decoded"):
        decode_limited(data, 100)
