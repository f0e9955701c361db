"""Split MPII's labelled images into training and validation."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from transpose.data.fields import as_texts, as_vectors, column, read_records
from transpose.data.mpii_release import MpiiImage, MpiiPerson
from transpose.errors import InputError
from transpose.files import read_json

_SAME_PLACE = 2.0
"""Distance in image pixels up to which a listed position matches a person of the release."""

Places = list[tuple[float, float]]


@dataclass(frozen=True)
class ValidationList:
    """The validation set as a list of images or persons.

    MPII does not publish the labels of its test set; the usual validation set is a third-party list (Tompson et al.,
    2,958 persons). A text file has one image name per line and selects all persons of the image. A JSON file
    (`valid.json`) is a list of objects with `image` and, to select single persons, `center` (x, y counted from 1).
    """

    path: Path


@dataclass(frozen=True)
class HoldOut:
    """The validation set as a random share of the images; results on it are not comparable with published ones."""

    share: float
    seed: int


def validation_source(path: Path | None, share: float | None, seed: int) -> ValidationList | HoldOut:
    """Return the validation set for the given options.

    Raises:
        InputError: not exactly one of `path` and `share` is given, or the share is not between 0 and 1.
    """
    if path is not None and share is None:
        return ValidationList(path)
    if path is None and share is not None:
        if not 0 < share < 1:
            raise InputError("validation", None, "hold-out", f"must be between 0 and 1, not {share:g}")
        return HoldOut(share, seed)
    problem = (
        "pass either a list of the validation images (usually Tompson's valid.json) or the share of the images to hold"
        " out; MPII's own file has no validation set"
    )
    raise InputError("validation", None, None, problem)


def split_images(images: list[MpiiImage], validation: ValidationList | HoldOut) -> dict[str, list[MpiiImage]]:
    """Split labelled images into `train` and `val`, keeping their order; images without usable persons are dropped.

    Raises:
        InputError: the list is missing or wrong, or names an image or a person that is not in `images`.
    """
    train, val = (
        _split_by_list(images, validation)
        if isinstance(validation, ValidationList)
        else _split_at_random(images, validation)
    )
    return {"train": [image for image in train if image.persons], "val": [p for p in val if p.persons]}


def _split_by_list(images: list[MpiiImage], validation: ValidationList) -> tuple[list[MpiiImage], list[MpiiImage]]:
    listed = _read_list(validation.path)
    known = {image.file_name for image in images}
    for name in listed:
        if name not in known:
            raise InputError(validation.path, name, "image", "no training image of the release has this name")
    train = [image for image in images if image.file_name not in listed]
    val = []
    for image in images:
        places = listed.get(image.file_name, [])
        if image.file_name in listed and places is None:
            val.append(image)
        elif places:
            val.append(replace(image, persons=_listed_persons(image, places, validation.path)))
    return train, val


def _read_list(path: Path) -> dict[str, Places | None]:
    """Read the listed images, each with its persons' positions (image pixels from 0), or None for all persons."""
    if path.suffix != ".json":
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(path, None, None, f"cannot be read: {error}") from None
        names = [line.strip() for line in lines if line.strip()]
        return dict.fromkeys(names)
    records = read_records(path, read_json(path))

    def name(position: int) -> str:
        return f"record[{position}]"

    names = column(path, records, "image", as_texts, name)
    if not any("center" in record for record in records):
        return dict.fromkeys(names)
    places: dict[str, Places | None] = {}
    centres = column(path, records, "center", lambda values: as_vectors(values, 2), name) - 1
    for name_of_image, (x, y) in zip(names, centres.tolist(), strict=True):
        places[name_of_image] = [*(places.get(name_of_image) or []), (x, y)]
    return places


def _listed_persons(image: MpiiImage, places: Places, path: Path) -> tuple[MpiiPerson, ...]:
    chosen = set()
    for place in places:
        distances = [float(np.hypot(*np.subtract(person.centre_xy, place))) for person in image.persons]
        nearest = int(np.argmin(distances)) if distances else -1
        if nearest < 0 or distances[nearest] > _SAME_PLACE or nearest in chosen:
            problem = f"no usable person of the release is at {place[0] + 1:g}, {place[1] + 1:g}"
            raise InputError(path, image.file_name, "center", problem)
        chosen.add(nearest)
    return tuple(person for position, person in enumerate(image.persons) if position in chosen)


def _split_at_random(images: list[MpiiImage], hold_out: HoldOut) -> tuple[list[MpiiImage], list[MpiiImage]]:
    names = sorted({image.file_name for image in images if image.persons})
    order = np.random.default_rng(hold_out.seed).permutation(len(names))
    held_out = {names[position] for position in order[: round(hold_out.share * len(names))]}
    train = [image for image in images if image.file_name not in held_out]
    return train, [image for image in images if image.file_name in held_out]
