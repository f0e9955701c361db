"""Image files are found under the names that tools write, and read in the orientation that the annotations mean."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from transpose.config.dataset import Orientation
from transpose.data.images import decode_image
from transpose.data.import_images import ImportedImages, import_images
from transpose.errors import InputError


def write_jpeg(path: Path, orientation: int = 1, size_hw: tuple[int, int] = (40, 60)) -> Path:
    """Write a JPEG whose stored upper left quarter is white."""
    pixels = np.random.default_rng(0).integers(0, 100, (*size_hw, 3), dtype=np.uint8)
    pixels[: size_hw[0] // 2, : size_hw[1] // 2] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def images_of(
    folder: Path, orientation: Orientation | None = None, name: object = "a.jpg", **sides: int
) -> ImportedImages:
    return import_images([{"id": 1, "file_name": name, **sides}], folder, orientation, 1)


@pytest.mark.parametrize(
    "name",
    [
        "images/sub/a b.jpg",
        "sub/a b.jpg",
        "C:\\data\\images\\sub\\a b.jpg",
        "sub/a%20b.jpg",
        "/home/me/images/sub/a b.jpg",
    ],
)
def test_names_are_found_with_folders_backslashes_and_percent_signs(tmp_path: Path, name: str) -> None:
    (tmp_path / "sub").mkdir()
    write_jpeg(tmp_path / "sub" / "a b.jpg")
    found = images_of(tmp_path, name=name, height=40, width=60)
    assert [record["file_name"] for record in found.records] == ["sub/a b.jpg"]
    assert found.derived["file_name"] == (name != "sub/a b.jpg")


def test_a_file_with_a_percent_sign_in_its_name_is_itself(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a%20b.jpg")
    assert images_of(tmp_path, name="a%20b.jpg").records[0]["file_name"] == "a%20b.jpg"


@pytest.mark.parametrize("name", ["../a.jpg", "images/../../a.jpg", "..\\a.jpg", "a\0.jpg", "", 7, None])
def test_names_that_lead_out_of_the_folder_are_refused(tmp_path: Path, name: object) -> None:
    with pytest.raises(InputError, match="file_name"):
        images_of(tmp_path, name=name)


def test_a_missing_size_is_read_from_the_file(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg")
    found = images_of(tmp_path)
    assert found.records == [{"id": 1, "file_name": "a.jpg", "height": 40, "width": 60}]
    assert found.derived == {"image_size": 1}


@pytest.mark.parametrize(
    ("exif", "orientation", "annotated", "as_displayed", "is_undecided"),
    [
        (1, None, (40, 60), False, False),
        (6, None, (60, 40), True, False),  # the annotated size says so
        (8, None, (60, 40), True, False),
        (6, None, (40, 60), False, True),  # Label Studio writes the stored size and the displayed points
        (3, None, (40, 60), False, True),
        (3, "as_displayed", (40, 60), True, False),
        (3, "as_stored", (40, 60), False, False),
        (6, "as_displayed", (60, 40), True, False),
        (6, "as_stored", (40, 60), False, False),
    ],
)
def test_the_orientation_is_what_the_size_or_the_key_says(
    tmp_path: Path,
    exif: int,
    orientation: Orientation | None,
    annotated: tuple[int, int],
    as_displayed: bool,
    is_undecided: bool,
) -> None:
    write_jpeg(tmp_path / "a.jpg", exif)
    found = images_of(tmp_path, orientation, height=annotated[0], width=annotated[1])
    assert len(found.records) == 1
    assert found.records[0].get("as_displayed", False) == as_displayed
    assert found.undecided == (["a.jpg"] if is_undecided else [])


def test_a_square_image_that_is_turned_is_not_decided_by_its_size(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg", 6, (50, 50))
    assert images_of(tmp_path, height=50, width=50).undecided == ["a.jpg"]


def test_a_wrong_size_of_a_turned_image_is_reported_with_its_orientation(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg", 6)
    (header,) = images_of(tmp_path, "as_stored", height=60, width=40).unusable
    assert header.problem == ("is 60x40 pixels, but annotated as 40x60 (EXIF orientation 6; see the key `orientation`)")


def test_missing_and_unreadable_images_are_named(tmp_path: Path) -> None:
    jpeg = write_jpeg(tmp_path / "a.jpg").read_bytes()
    for name, data in {"cut.jpg": jpeg[:-200], "empty.jpg": b"", "text.jpg": b"no image at all"}.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + b"\0" * 40)
    records: list[dict[str, Any]] = [
        {"id": number, "file_name": name}
        for number, name in enumerate(("cut.jpg", "empty.jpg", "text.jpg", "phone.heic", "absent.jpg", "a.jpg"))
    ]
    found = import_images(records, tmp_path, None, 2)
    assert [header.problem for header in found.unusable] == [
        "the image is truncated",
        "the image is empty",
        "not an image that can be decoded",
        "is a HEIC image: convert it to JPEG, for example with `heif-convert` of libheif or `sips` of macOS",
        "no such image",
    ]
    assert [header.is_missing for header in found.unusable] == [False] * 4 + [True]
    assert [record["file_name"] for record in found.records] == ["a.jpg"]


def test_a_motion_photo_is_whole_and_a_cut_one_is_not(tmp_path: Path) -> None:
    jpeg = write_jpeg(tmp_path / "a.jpg").read_bytes()
    video = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 8 + b"\xff\xda\xff\xd8\xff\xda" * 3
    (tmp_path / "motion.jpg").write_bytes(jpeg + video)
    whole = decode_image(jpeg, tmp_path / "a.jpg")
    assert (decode_image(jpeg + video, tmp_path / "motion.jpg") == whole).all()
    with pytest.raises(InputError, match="truncated"):
        decode_image(jpeg[: len(jpeg) // 2], tmp_path / "a.jpg")


@pytest.mark.parametrize(("bits", "suffix"), [(10, ".png"), (12, ".png"), (12, ".tiff"), (16, ".png")])
def test_values_of_10_and_12_bits_are_scaled(tmp_path: Path, bits: int, suffix: str) -> None:
    plain = np.random.default_rng(bits).integers(0, 256, (20, 30, 3), dtype=np.uint16)
    plain[0, 0] = 255
    _, encoded = cv2.imencode(suffix, plain << (bits - 8))
    path = tmp_path / f"a{suffix}"
    path.write_bytes(encoded.tobytes())
    assert np.abs(decode_image(path.read_bytes(), path).astype(int) - plain[..., ::-1]).max() <= 1
    assert images_of(tmp_path, name=path.name).shallow == ([path.name] if bits < 16 else [])


def test_the_orientation_is_read_from_other_formats_and_damaged_metadata_is_ignored(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 40)).save(buffer, "WEBP", exif=exif)
    (tmp_path / "a.webp").write_bytes(buffer.getvalue())
    assert images_of(tmp_path, name="a.webp", height=60, width=40).records[0]["as_displayed"]
    jpeg = write_jpeg(tmp_path / "b.jpg", 6).read_bytes()
    (tmp_path / "b.jpg").write_bytes(jpeg.replace(b"Exif\0\0MM", b"Exif\0\0XX").replace(b"Exif\0\0II", b"Exif\0\0XX"))
    assert images_of(tmp_path, name="b.jpg", height=40, width=60).undecided == []
