"""Find the image files that annotations name, and read their sizes and orientations from the headers."""

import io
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import unquote

from transpose.config.dataset import Orientation
from transpose.data.images import ImageFolder, check_encoded, deep_values, stored_size, used_bits
from transpose.errors import InputError

_EXIF_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)
"""EXIF orientations by which width and height swap."""


@dataclass(frozen=True)
class ImageHeader:
    """What the file of an image says."""

    file_name: str
    """Path relative to the folder of images; as annotated if there is no such file."""
    size_hw: tuple[int, int] | None
    """(height, width) as stored; None if the file is missing or unreadable."""
    exif_orientation: int = 1
    bits: int = 8
    """Bits that the values use: 10 or 12 in files of 16 bits that use no more."""
    is_missing: bool = False
    problem: str | None = None
    """Why the file cannot be used; None if it can."""

    @property
    def displayed_hw(self) -> tuple[int, int] | None:
        """(height, width) after the EXIF orientation is applied."""
        if self.size_hw is None or self.exif_orientation not in _TURNED:
            return self.size_hw
        return self.size_hw[1], self.size_hw[0]


@dataclass
class ImportedImages:
    """The images of a split that can be used, in file order, and what was found about them."""

    records: list[dict[str, Any]] = field(default_factory=list)
    """COCO's fields; `as_displayed: true` where the EXIF orientation has to be applied."""
    unusable: list[ImageHeader] = field(default_factory=list)
    derived: Counter[str] = field(default_factory=Counter)
    undecided: list[str] = field(default_factory=list)
    """Names of images with an EXIF orientation of which nothing says whether the annotations follow it."""
    shallow: list[str] = field(default_factory=list)
    """Names of images with values of 10 or 12 bits in files of 16 bits, which are scaled."""


def import_images(
    records: Sequence[dict[str, Any]], folder: ImageFolder, orientation: Orientation | None, jobs: int
) -> ImportedImages:
    """Complete the image records of an annotation file from the files.

    An image is read as displayed, with its EXIF orientation applied, if `orientation` says so or if only the displayed
    size equals the annotated one. It is read as stored otherwise, like in the official evaluation of COCO.

    Args:
        records: `id`, `file_name` and perhaps `height`, `width` and `crowdIndex`.
        folder: of the images.
        orientation: of all images; None decides for each image.
        jobs: number of files read in parallel.
    """
    with ThreadPoolExecutor(jobs) as pool:
        headers = list(pool.map(lambda record: read_header(folder, record["file_name"]), records))
    result = ImportedImages()
    for record, header in zip(records, headers, strict=True):
        _add_image(result, record, header, orientation)
    result.derived = +result.derived
    return result


def read_header(folder: ImageFolder, name: object) -> ImageHeader:
    """Find an image and read its header; the body is checked for truncation but not decoded.

    Tools write names with the folders before them, with backslashes, or with %20 for a blank.

    Raises:
        InputError: the name is no text or leads out of the folder.
    """
    for spelling in _spellings(name):
        path = folder / spelling
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            continue
        except (OSError, ValueError) as error:  # also a name that is too long, or a lone surrogate
            return ImageHeader(spelling, None, problem=f"cannot be read: {error}")
        try:
            check_encoded(data, path)
            size_hw, deep = stored_size(data, path), deep_values(data)
        except InputError as error:
            return ImageHeader(spelling, None, problem=error.problem)
        return ImageHeader(spelling, size_hw, _orientation_of(data), 8 if deep is None else used_bits(deep))
    return ImageHeader(str(name), None, is_missing=True, problem="no such image")


def _spellings(name: object) -> Iterator[str]:
    """Yield the paths relative to the folder of images that a name in an annotation file may stand for."""
    if not isinstance(name, str) or not name or "\0" in name:
        raise InputError("must be a file name", file="images", record=f"image {name!r}", field="file_name")
    for text in dict.fromkeys((name, unquote(name))):
        parts = (PureWindowsPath(text) if "\\" in text else PurePosixPath(text)).parts
        if ".." in parts:
            raise InputError(
                "must be inside the image folder", file="images", record=f"image {name!r}", field="file_name"
            )
        for start in range(len(parts)):
            candidate = "/".join(parts[start:])
            if not PurePosixPath(candidate).is_absolute() and not PureWindowsPath(candidate).anchor:
                yield candidate


def _orientation_of(data: bytes) -> int:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data)) as image:
                orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
        except Exception:  # Pillow raises errors of many kinds for damaged metadata, which the decoder ignores
            return 1
    return orientation if orientation in range(1, 9) else 1


def _add_image(
    result: ImportedImages, record: dict[str, Any], header: ImageHeader, orientation: Orientation | None
) -> None:
    stored, displayed = header.size_hw, header.displayed_hw
    if stored is None or displayed is None:
        result.unusable.append(header)
        return
    if header.bits in (10, 12):
        result.shallow.append(header.file_name)
    annotated = (record["height"], record["width"]) if "height" in record else None
    is_turned = header.exif_orientation != 1
    if orientation is None:
        as_displayed = is_turned and annotated == displayed and displayed != stored
        if is_turned and not as_displayed:
            result.undecided.append(header.file_name)
    else:
        as_displayed = is_turned and orientation == "as_displayed"
    size_hw = displayed if as_displayed else stored
    if annotated is None:
        result.derived["image_size"] += 1
    elif annotated != size_hw:
        problem = f"is {size_hw[1]}x{size_hw[0]} pixels, but annotated as {annotated[1]}x{annotated[0]}"
        if is_turned:
            problem += f" (EXIF orientation {header.exif_orientation}; see the key `orientation`)"
        result.unusable.append(ImageHeader(header.file_name, None, problem=problem))
        return
    if header.file_name != record["file_name"]:
        result.derived["file_name"] += 1
    flag = {"as_displayed": True} if as_displayed else {}
    crowding = {"crowdIndex": record["crowdIndex"]} if "crowdIndex" in record else {}
    result.records.append(
        {
            "id": record["id"],
            "file_name": header.file_name,
            "height": size_hw[0],
            "width": size_hw[1],
            **flag,
            **crowding,
        }
    )
