"""Convert MPII Human Pose to COCO annotations with the head size of PCKh, split into training and validation."""

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from transpose.data.coco import PERSON_CATEGORY
from transpose.data.fields import as_texts, as_vectors, column, read_records
from transpose.data.images import jpeg_size
from transpose.data.mpii_release import KEYPOINTS, MpiiImage, MpiiPerson, read_release
from transpose.errors import InputError
from transpose.files import atomic_paths, read_json, sha256_of_file, write_json
from transpose.geometry import PIXELS_PER_SCALE_UNIT

_SHIFT_DOWN = 15.0
"""Image pixels per unit of scale by which official code moves the crop down, so that it contains the feet."""

_MOST_PERSONS = 1000
"""Range of annotation ids per image."""

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


def convert_mpii(
    release: Path, image_folder: Path, validation: ValidationList | HoldOut, output: Path
) -> dict[str, Any]:
    """Write `train/` and `val/` of MPII into `output`: `annotations.json` and a link `images` to `image_folder`.

    A person's box is the frame that official code crops: its centre is 15 * scale below `objpos`, its sides are
    200 * scale; our crop then pads it by 1.25. Frames may extend beyond the image, so `info.clip_boxes` is false.
    `area` is the frame's, since MPII has no masks. Pixels count from 0. All persons of an image are in one split.

    Returns:
        The contents of `output`/conversion.json: sources, counts of both splits, and dropped records by reason.

    Raises:
        InputError: a file is missing or wrong, an image is missing, a split is empty, or the validation list names
            images or persons that the release does not have.
    """
    content = read_release(release)
    labelled = [image for image in content.images if image.is_train]
    usable = [image for image in labelled if image.persons]
    splits = split_images(labelled, validation)
    for name, chosen in splits.items():
        if not chosen:
            raise InputError(f"no image with a usable person is left for the split {name}", file=release)
    persons = Counter(content.dropped_persons)
    persons["of a validation image, but not in the list"] = _persons_in(usable) - sum(map(_persons_in, splits.values()))
    annotations = {name: _annotations(chosen, image_folder) for name, chosen in splits.items()}
    record = {
        "release_sha256": sha256_of_file(release),
        "validation": _source(validation),
        "splits": {
            name: {"images": len(values["images"]), "persons": len(values["annotations"])}
            for name, values in annotations.items()
        },
        "dropped": {
            "images": {
                "test image, without public labels": len(content.images) - len(labelled),
                "without a usable person": len(labelled) - len(usable),
            },
            "persons": dict(sorted(persons.items())),
            "keypoints": dict(sorted(content.dropped_keypoints.items())),
        },
    }
    for name in annotations:
        _link(output / name / "images", image_folder)
    outputs = [*(output / name / "annotations.json" for name in annotations), output / "conversion.json"]
    with atomic_paths(*outputs) as (*files, conversion):
        for file, values in zip(files, annotations.values(), strict=True):
            write_json(file, values, indent=None)
        write_json(conversion, record)
    return record


def _source(validation: ValidationList | HoldOut) -> dict[str, Any]:
    if isinstance(validation, ValidationList):
        return {"list": validation.path.name, "list_sha256": sha256_of_file(validation.path)}
    return {"hold_out": validation.share, "seed": validation.seed}


def _persons_in(images: Iterable[MpiiImage]) -> int:
    return sum(len(image.persons) for image in images)


def _annotations(images: Iterable[MpiiImage], folder: Path) -> dict[str, Any]:
    records, annotations = [], []
    for image in images:
        height, width = jpeg_size(folder / image.file_name)
        records.append({"id": image.number, "file_name": image.file_name, "height": height, "width": width})
        annotations += [_annotation(image, person) for person in image.persons]
    return {
        "info": {"description": "MPII Human Pose 1.1, converted; pixels count from 0", "clip_boxes": False},
        "images": records,
        "annotations": annotations,
        "categories": [{"id": PERSON_CATEGORY, "name": "person", "keypoints": list(KEYPOINTS)}],
    }


def _annotation(image: MpiiImage, person: MpiiPerson) -> dict[str, Any]:
    side = PIXELS_PER_SCALE_UNIT * person.scale
    x, y = person.centre_xy[0], person.centre_xy[1] + _SHIFT_DOWN * person.scale
    return {
        "id": _MOST_PERSONS * image.number + person.number,
        "image_id": image.number,
        "category_id": PERSON_CATEGORY,
        # The centre of a box is x + (w - 1) / 2 (`geometry.box_to_center_scale`).
        "bbox": [x - (side - 1) / 2, y - (side - 1) / 2, side, side],
        "area": side * side,
        "iscrowd": 0,
        "keypoints": person.keypoints.ravel().tolist(),
        "num_keypoints": int((person.keypoints[:, 2] > 0).sum()),
        "head_size": person.head_size,
    }


def _link(link: Path, folder: Path) -> None:
    """Create or replace a symbolic link to `folder`.

    Raises:
        InputError: `link` exists and is not a link.
    """
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        if link.samefile(folder):
            return
        raise InputError(f"exists and is not a link: remove it to link to {folder}", file=link)
    link.symlink_to(os.path.relpath(folder.resolve(), link.parent.resolve()), target_is_directory=True)


def validation_source(path: Path | None, share: float | None, seed: int) -> ValidationList | HoldOut:
    """Return the validation set for the given options.

    Raises:
        InputError: not exactly one of `path` and `share` is given, or the share is not between 0 and 1.
    """
    if path is not None and share is None:
        return ValidationList(path)
    if path is None and share is not None:
        if not 0 < share < 1:
            raise InputError(f"must be between 0 and 1, not {share:g}", file="validation", field="hold-out")
        return HoldOut(share, seed)
    problem = (
        "pass either a list of the validation images (usually Tompson's valid.json) or the share of the images to hold"
        " out; MPII's own file has no validation set"
    )
    raise InputError(problem, file="validation")


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
            raise InputError(
                "no training image of the release has this name", file=validation.path, record=name, field="image"
            )
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
            raise InputError(f"cannot be read: {error}", file=path) from None
        names = [line.strip() for line in lines if line.strip()]
        return dict.fromkeys(names)
    records = read_records(path, read_json(path))

    names = column(path, records, "image", as_texts)
    if not any("center" in record for record in records):
        return dict.fromkeys(names)
    places: dict[str, Places | None] = {}
    centres = column(path, records, "center", partial(as_vectors, length=2)) - 1
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
            raise InputError(problem, file=path, record=image.file_name, field="center")
        chosen.add(nearest)
    return tuple(person for position, person in enumerate(image.persons) if position in chosen)


def _split_at_random(images: list[MpiiImage], hold_out: HoldOut) -> tuple[list[MpiiImage], list[MpiiImage]]:
    names = sorted({image.file_name for image in images if image.persons})
    order = np.random.default_rng(hold_out.seed).permutation(len(names))
    held_out = {names[position] for position in order[: round(hold_out.share * len(names))]}
    train = [image for image in images if image.file_name not in held_out]
    return train, [image for image in images if image.file_name in held_out]
