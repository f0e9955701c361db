"""Location of an annotation file's images: `images/` next to it, or the folder or archive named in `images.json`."""

import os
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError

from transpose.config.base import Settings
from transpose.data.zip_reader import ZipFolder
from transpose.errors import InputError
from transpose.files import read_json, write_json

POINTER = "images.json"


class FolderImages(Settings):
    """Images in a folder; its path is relative to `images.json`."""

    kind: Literal["folder"] = "folder"
    folder: str


class ZipImages(Settings):
    """Images in a zip archive; its path is relative to `images.json`."""

    kind: Literal["zip"] = "zip"
    archive: str
    folder: str


_LOCATION: TypeAdapter[FolderImages | ZipImages] = TypeAdapter(
    Annotated[FolderImages | ZipImages, Field(discriminator="kind")]
)


class ArchivedImages(NamedTuple):
    """A folder inside a zip archive, which is not opened."""

    archive: Path
    folder: str


def image_location_of(annotations: Path) -> Path | ArchivedImages:
    """Return where an annotation file's images are, without opening an archive.

    Raises:
        InputError: `images.json` is invalid.
    """
    pointer = annotations.parent / POINTER
    if not pointer.is_file():
        return annotations.parent / "images"
    try:
        location = _LOCATION.validate_python(read_json(pointer))
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        field = ".".join(map(str, details["loc"]))
        raise InputError(details["msg"], file=pointer, field=field or None) from None
    if isinstance(location, FolderImages):
        return pointer.parent / location.folder
    return ArchivedImages(pointer.parent / location.archive, location.folder)


def image_source_of(annotations: Path) -> Path | ZipFolder:
    """Return the image folder, or the folder in a zip archive, of an annotation file.

    Raises:
        InputError: `images.json` or the archive that it names is invalid.
    """
    location = image_location_of(annotations)
    return ZipFolder(*location) if isinstance(location, ArchivedImages) else location


def point_to_folder(annotations: Path, folder: Path) -> None:
    """Write `images.json` with the path of an image folder."""
    _point(annotations, FolderImages(folder=_relative(folder, annotations)))


def point_to_zip(annotations: Path, archive: Path, folder: str) -> None:
    """Write `images.json` with a folder inside a zip archive."""
    _point(annotations, ZipImages(archive=_relative(archive, annotations), folder=folder))


def point_to_images_of(annotations: Path, other: Path) -> None:
    """Write `images.json` with the image location of another annotation file.

    Raises:
        InputError: see `image_source_of`.
    """
    images = image_source_of(other)
    if isinstance(images, ZipFolder):
        point_to_zip(annotations, images.archive, images.folder)
    else:
        point_to_folder(annotations, images)


def _relative(path: Path, annotations: Path) -> str:
    return os.path.relpath(path, annotations.parent)


def _point(annotations: Path, location: FolderImages | ZipImages) -> None:
    write_json(annotations.parent / POINTER, location.model_dump(mode="json"))
