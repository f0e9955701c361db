"""Convert MPII Human Pose to COCO annotations with the head size of PCKh."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from transpose.data.coco import PERSON_CATEGORY
from transpose.data.image_size import jpeg_size
from transpose.data.mpii_release import KEYPOINTS, MpiiImage, MpiiPerson, read_release
from transpose.data.mpii_split import HoldOut, ValidationList, split_images
from transpose.errors import InputError
from transpose.files import atomic_paths, sha256_of_file, write_json
from transpose.geometry import PIXELS_PER_SCALE_UNIT

_SHIFT_DOWN = 15.0
"""Image pixels per unit of scale by which official code moves the crop down, so that it contains the feet."""

_MOST_PERSONS = 1000
"""Range of annotation ids per image."""


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
            raise InputError(release, None, None, f"no image with a usable person is left for the split {name}")
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
        raise InputError(link, None, None, f"exists and is not a link: remove it to link to {folder}")
    link.symlink_to(os.path.relpath(folder.resolve(), link.parent.resolve()), target_is_directory=True)
