"""MPII Human Pose in this project's format: COCO annotations with the normaliser of PCKh."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from transpose.data.coco import PERSON_CATEGORY
from transpose.data.mpii_release import KEYPOINTS, MpiiPerson, MpiiPicture, read_release
from transpose.data.mpii_split import HoldOut, ValidationList, split_pictures
from transpose.data.picture_size import jpeg_size
from transpose.errors import InputError
from transpose.files import atomic_paths, sha256_of_file, write_json
from transpose.geometry import PIXELS_PER_SCALE_UNIT

_SHIFT_DOWN = 15.0
"""Image pixels for each unit of scale that the official family moves the crop down, to keep the feet in it."""

_MOST_PERSONS = 1000
"""Persons of one picture whose annotation ids stay clear of the next picture's."""


def convert_mpii(release: Path, pictures: Path, validation: ValidationList | HoldOut, output: Path) -> dict[str, Any]:
    """Write `train/` and `val/` of MPII into `output`, each with `annotations.json` and a link `images` to `pictures`.

    A person's box is the frame that the official family crops: centre 15 scale below `objpos`, and 200 scale wide and
    high, which our crop then pads by 1.25. Frames may leave the picture, so `info.clip_boxes` is false. `area` is the
    frame's, since MPII has no masks. Pixels count from 0. All persons of a picture go to the same split.

    Returns:
        What `output`/conversion.json holds: sources, counts of both splits, and everything left out, by reason.

    Raises:
        InputError: a file is missing or wrong, a picture is not there, or the validation set is empty, everything, or
            lists what the release does not have.
    """
    content = read_release(release)
    labelled = [picture for picture in content.pictures if picture.is_train]
    usable = [picture for picture in labelled if picture.persons]
    splits = split_pictures(labelled, validation)
    for name, chosen in splits.items():
        if not chosen:
            raise InputError(release, None, None, f"no picture with a usable person is left for the split {name}")
    persons = Counter(content.dropped_persons)
    persons["of a validation picture, but not in the list"] = _persons_in(usable) - sum(
        map(_persons_in, splits.values())
    )
    annotations = {name: _annotations(chosen, pictures) for name, chosen in splits.items()}
    record = {
        "release_sha256": sha256_of_file(release),
        "validation": _source(validation),
        "splits": {
            name: {"pictures": len(values["images"]), "persons": len(values["annotations"])}
            for name, values in annotations.items()
        },
        "dropped": {
            "pictures": {
                "test picture, without public labels": len(content.pictures) - len(labelled),
                "without a usable person": len(labelled) - len(usable),
            },
            "persons": dict(sorted(persons.items())),
            "joints": dict(sorted(content.dropped_joints.items())),
        },
    }
    for name in annotations:
        _link(output / name / "images", pictures)
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


def _persons_in(pictures: Iterable[MpiiPicture]) -> int:
    return sum(len(picture.persons) for picture in pictures)


def _annotations(pictures: Iterable[MpiiPicture], folder: Path) -> dict[str, Any]:
    images, annotations = [], []
    for picture in pictures:
        height, width = jpeg_size(folder / picture.file_name)
        images.append({"id": picture.number, "file_name": picture.file_name, "height": height, "width": width})
        annotations += [_annotation(picture, person) for person in picture.persons]
    return {
        "info": {"description": "MPII Human Pose 1.1, converted; pixels count from 0", "clip_boxes": False},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": PERSON_CATEGORY, "name": "person", "keypoints": list(KEYPOINTS)}],
    }


def _annotation(picture: MpiiPicture, person: MpiiPerson) -> dict[str, Any]:
    side = PIXELS_PER_SCALE_UNIT * person.scale
    x, y = person.centre_xy[0], person.centre_xy[1] + _SHIFT_DOWN * person.scale
    return {
        "id": _MOST_PERSONS * picture.number + person.number,
        "image_id": picture.number,
        "category_id": PERSON_CATEGORY,
        # The centre of a box lies at x + (w - 1) / 2 (`geometry.box_to_center_scale`).
        "bbox": [x - (side - 1) / 2, y - (side - 1) / 2, side, side],
        "area": side * side,
        "iscrowd": 0,
        "keypoints": person.keypoints.ravel().tolist(),
        "num_keypoints": int((person.keypoints[:, 2] > 0).sum()),
        "head_size": person.head_size,
    }


def _link(link: Path, folder: Path) -> None:
    """Make `link` lead to `folder`; a link from before is replaced, a folder of the user's own is not.

    Raises:
        InputError: something else than a link is there.
    """
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_symlink():
        link.unlink()
    elif link.exists():
        if link.samefile(folder):
            return
        raise InputError(link, None, None, f"is in the way of a link to {folder}")
    link.symlink_to(os.path.relpath(folder.resolve(), link.parent.resolve()), target_is_directory=True)
