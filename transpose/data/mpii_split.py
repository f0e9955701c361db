"""MPII's labelled pictures parted into training and validation."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from transpose.data.fields import as_texts, as_vectors, column, read_records
from transpose.data.mpii_release import MpiiPerson, MpiiPicture
from transpose.errors import InputError
from transpose.files import read_json

_SAME_PLACE = 2.0
"""Image pixels within which a listed person's position is that of a person of the release."""

Places = list[tuple[float, float]]


@dataclass(frozen=True)
class ValidationList:
    """The validation set as a list: MPII publishes no labels of its test set, and the customary validation set
    (Tompson et al., 2,958 persons) is a list made by others.

    A text file names a picture a line, with all its persons. A JSON file is the customary `valid.json`, a list of
    objects with `image` and, to choose single persons, `center` (x, y from 1 as in the release).
    """

    path: Path


@dataclass(frozen=True)
class HoldOut:
    """The validation set as a share of the pictures, drawn at random: no figure on it stands beside published ones."""

    share: float
    seed: int


def validation_source(path: Path | None, share: float | None, seed: int) -> ValidationList | HoldOut:
    """What a user asked for.

    Raises:
        InputError: it is not one of the two, or the share is none.
    """
    if path is not None and share is None:
        return ValidationList(path)
    if path is None and share is not None:
        if not 0 < share < 1:
            raise InputError("validation", None, "hold-out", f"must lie between 0 and 1, not {share:g}")
        return HoldOut(share, seed)
    problem = (
        "give either a list of the validation pictures (the customary one is Tompson's, in valid.json), or the share"
        " of the pictures to hold out; MPII's own file has no validation set"
    )
    raise InputError("validation", None, None, problem)


def split_pictures(pictures: list[MpiiPicture], validation: ValidationList | HoldOut) -> dict[str, list[MpiiPicture]]:
    """`train` and `val` of labelled pictures: those with usable persons, in the same order. No picture is in both.

    Raises:
        InputError: the list is missing or wrong, or names a picture or a person that is not among `pictures`.
    """
    train, val = (
        _split_by_list(pictures, validation)
        if isinstance(validation, ValidationList)
        else _split_at_random(pictures, validation)
    )
    return {"train": [picture for picture in train if picture.persons], "val": [p for p in val if p.persons]}


def _split_by_list(
    pictures: list[MpiiPicture], validation: ValidationList
) -> tuple[list[MpiiPicture], list[MpiiPicture]]:
    listed = _read_list(validation.path)
    known = {picture.file_name for picture in pictures}
    for name in listed:
        if name not in known:
            raise InputError(validation.path, name, "image", "no training picture of the release has this name")
    train = [picture for picture in pictures if picture.file_name not in listed]
    val = []
    for picture in pictures:
        places = listed.get(picture.file_name, [])
        if picture.file_name in listed and places is None:
            val.append(picture)
        elif places:
            val.append(replace(picture, persons=_listed_persons(picture, places, validation.path)))
    return train, val


def _read_list(path: Path) -> dict[str, Places | None]:
    """Listed pictures, each with its persons' places (image pixels from 0), or None for all persons."""
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

    images = column(path, records, "image", as_texts, name)
    if not any("center" in record for record in records):
        return dict.fromkeys(images)
    places: dict[str, Places | None] = {}
    centres = column(path, records, "center", lambda values: as_vectors(values, 2), name) - 1
    for image, (x, y) in zip(images, centres.tolist(), strict=True):
        places[image] = [*(places.get(image) or []), (x, y)]
    return places


def _listed_persons(picture: MpiiPicture, places: Places, path: Path) -> tuple[MpiiPerson, ...]:
    chosen = set()
    for place in places:
        distances = [float(np.hypot(*np.subtract(person.centre_xy, place))) for person in picture.persons]
        nearest = int(np.argmin(distances)) if distances else -1
        if nearest < 0 or distances[nearest] > _SAME_PLACE or nearest in chosen:
            problem = f"no usable person of the release is at {place[0] + 1:g}, {place[1] + 1:g}"
            raise InputError(path, picture.file_name, "center", problem)
        chosen.add(nearest)
    return tuple(person for position, person in enumerate(picture.persons) if position in chosen)


def _split_at_random(pictures: list[MpiiPicture], hold_out: HoldOut) -> tuple[list[MpiiPicture], list[MpiiPicture]]:
    names = sorted({picture.file_name for picture in pictures if picture.persons})
    order = np.random.default_rng(hold_out.seed).permutation(len(names))
    held_out = {names[position] for position in order[: round(hold_out.share * len(names))]}
    train = [picture for picture in pictures if picture.file_name not in held_out]
    return train, [picture for picture in pictures if picture.file_name in held_out]
