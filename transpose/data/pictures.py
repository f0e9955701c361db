"""Where the pictures of an annotation file are: in `images/` beside it, or where `pictures.json` beside it says."""

import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from transpose.config.base import Settings
from transpose.data.zip_pictures import ZipFolder
from transpose.errors import InputError
from transpose.files import read_json, write_json

POINTER = "pictures.json"


class UnpackedPictures(Settings):
    """Pictures in a folder; its path is relative to the file that holds this."""

    kind: Literal["folder"] = "folder"
    folder: str


class ZippedPictures(Settings):
    """Pictures in a zip archive; its path is relative to the file that holds this."""

    kind: Literal["zip"] = "zip"
    archive: str
    folder: str


_PLACE: TypeAdapter[UnpackedPictures | ZippedPictures] = TypeAdapter(
    Annotated[UnpackedPictures | ZippedPictures, Field(discriminator="kind")]
)


def pictures_beside(annotations: Path) -> Path | ZipFolder:
    """The pictures of an annotation file.

    Raises:
        InputError: `pictures.json` is broken, or the archive that it names is.
    """
    pointer = annotations.parent / POINTER
    if not pointer.is_file():
        return annotations.parent / "images"
    try:
        place = _PLACE.validate_python(read_json(pointer))
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        field = ".".join(map(str, details["loc"]))
        raise InputError(pointer, None, field or None, details["msg"]) from None
    if isinstance(place, UnpackedPictures):
        return pointer.parent / place.folder
    return ZipFolder(pointer.parent / place.archive, place.folder)


def point_to_folder(annotations: Path, folder: Path) -> None:
    """Let `pictures_beside(annotations)` be a folder."""
    _point(annotations, UnpackedPictures(folder=_relative(folder, annotations)))


def point_to_zip(annotations: Path, archive: Path, folder: str) -> None:
    """Let `pictures_beside(annotations)` be a folder inside a zip archive."""
    _point(annotations, ZippedPictures(archive=_relative(archive, annotations), folder=folder))


def point_to_pictures_of(annotations: Path, other: Path) -> None:
    """Let `pictures_beside(annotations)` be those of another annotation file.

    Raises:
        InputError: as `pictures_beside`.
    """
    pictures = pictures_beside(other)
    if isinstance(pictures, ZipFolder):
        point_to_zip(annotations, pictures.archive, pictures.folder)
    else:
        point_to_folder(annotations, pictures)


def _relative(path: Path, annotations: Path) -> str:
    return os.path.relpath(path, annotations.parent)


def _point(annotations: Path, place: UnpackedPictures | ZippedPictures) -> None:
    write_json(annotations.parent / POINTER, place.model_dump(mode="json"))
