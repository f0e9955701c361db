"""The same pixels from a file, an array and a PIL image."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.helpers.exif import turned_by_exif
from transpose.data.any_image import read_any_image, read_upright_image
from transpose.data.images import read_image
from transpose.errors import InputError


@pytest.fixture
def photograph(tiny_dataset: Path, tmp_path: Path) -> Path:
    return turned_by_exif(tiny_dataset / "images" / f"{11:012d}.jpg", tmp_path / "turned.jpg")


def test_files_and_pil_images_are_turned_as_they_are_displayed(photograph: Path) -> None:
    pixels, name = read_any_image(photograph)
    assert name == photograph
    np.testing.assert_array_equal(pixels, np.rot90(read_image(photograph), -1))
    np.testing.assert_array_equal(read_any_image(str(photograph))[0], pixels)
    with Image.open(photograph) as image:
        by_pil, name = read_any_image(image)
    assert (by_pil.shape, name) == (pixels.shape, "image")
    # The decoders may round differently.
    assert np.abs(by_pil.astype(int) - pixels).max() <= 3


def test_a_pil_image_of_any_mode_becomes_rgb() -> None:
    grey = Image.fromarray(np.full((2, 3), 7, dtype=np.uint8))
    assert read_any_image(grey)[0].tolist() == np.full((2, 3, 3), 7).tolist()


@pytest.mark.parametrize(
    ("image", "refusal"),
    [
        (np.zeros((4, 4, 3)), r"image: must be uint8 RGB .*, not float64 of shape \[4, 4, 3\]"),
        (np.zeros((4, 4), dtype=np.uint8), "image: must be uint8 RGB"),
        ([[1, 2]], "image: must be a path, an array or a PIL image, not list"),
    ],
)
def test_what_is_no_image_is_one_line(image: Any, refusal: str) -> None:
    with pytest.raises(InputError, match=refusal):
        read_any_image(image)


def test_an_image_of_200_megapixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    Image.new("1", (20_000, 10_000)).save(tmp_path / "large.png")
    with pytest.raises(InputError, match=r"large\.png: has 20000x10000 pixels, more than 178,956,970: make it smaller"):
        read_upright_image(tmp_path / "large.png")
