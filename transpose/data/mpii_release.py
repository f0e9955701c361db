"""MPII's official annotation file, `mpii_human_pose_v1_u12_1.mat`, as plain images and persons.

Matlab counts pixels from 1: every coordinate here is one less, so that 0 is the centre of the first pixel.
"""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import mat_struct

from transpose.errors import InputError

KEYPOINTS = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("pelvis", "thorax", "upper_neck", "head_top"),
    *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
)
"""Names by the file's keypoint ids 0 to 15."""

HEAD_SHARE = 0.6
"""Of the head box's diagonal, that is the unit of PCKh (SC_BIAS of the official evaluation)."""


@dataclass(frozen=True)
class MpiiPerson:
    """A person with all that training and PCKh need."""

    number: int
    """Position in the image's `annorect`, from 1."""
    centre_xy: tuple[float, float]
    """`objpos`, image pixels from 0."""
    scale: float
    """The person's height in units of 200 image pixels."""
    head_size: float
    """The unit of PCKh in image pixels."""
    keypoints: np.ndarray
    """[16, 3] float64: x, y in image pixels from 0 and v: 2, 1 where `is_visible` is 0, or 0 where not labelled."""


@dataclass(frozen=True)
class MpiiImage:
    """An image of the release and its usable persons."""

    number: int
    """Position in `annolist`, from 1."""
    file_name: str
    is_train: bool
    """Its labels are public."""
    persons: tuple[MpiiPerson, ...]


@dataclass(frozen=True)
class MpiiRelease:
    """The whole file."""

    images: list[MpiiImage]
    dropped_persons: Counter[str]
    """Persons of training images that cannot be used, by reason."""
    dropped_keypoints: Counter[str]
    """Keypoints of training images that cannot be used, by reason."""


def read_release(path: Path) -> MpiiRelease:
    """Read the official file. Fields that are missing or empty cost their person or keypoint, which is counted.

    Raises:
        InputError: the file is missing, no Matlab file, or none of MPII's structure; the entry is named.
    """
    release = _load(path)
    entries, is_train = _structs(getattr(release, "annolist", None)), np.ravel(getattr(release, "img_train", ()))
    if not entries or len(entries) != len(is_train):
        problem = f"annolist has {len(entries)} images and img_train {len(is_train)} marks"
        raise InputError(path, "RELEASE", None, problem)
    result = MpiiRelease([], Counter(), Counter())
    for number, (entry, train) in enumerate(zip(entries, is_train.tolist(), strict=True), start=1):
        name = getattr(getattr(entry, "image", None), "name", None)
        if not isinstance(name, str) or not name:
            raise InputError(path, f"annolist({number})", "image.name", "missing")
        persons = _persons(entry, result) if train else ()
        result.images.append(MpiiImage(number, name, bool(train), persons))
    return result


def _load(path: Path) -> mat_struct:
    if not path.is_file():
        raise InputError(path, None, None, "no such file")
    try:
        content = loadmat(path, appendmat=False, struct_as_record=False, squeeze_me=True, variable_names=["RELEASE"])
    except Exception as error:  # a damaged file can raise nearly anything in the reader
        raise InputError(path, None, None, f"not a Matlab file that can be read: {error}") from None
    release = content.get("RELEASE")
    if not isinstance(release, mat_struct):
        raise InputError(path, None, "RELEASE", "missing; MPII's file is mpii_human_pose_v1_u12_1.mat")
    return release


def _persons(entry: mat_struct, release: MpiiRelease) -> tuple[MpiiPerson, ...]:
    persons = []
    for number, rect in enumerate(_structs(getattr(entry, "annorect", None)), start=1):
        person = _person(number, rect, release.dropped_keypoints)
        if isinstance(person, str):
            release.dropped_persons[person] += 1
        else:
            persons.append(person)
    return tuple(persons)


def _person(number: int, rect: mat_struct, dropped_keypoints: Counter[str]) -> MpiiPerson | str:
    """The person, or why it cannot be used."""
    keypoints = _keypoints(rect, dropped_keypoints)
    if not keypoints[:, 2].any():
        return "no labelled keypoint"
    position = getattr(rect, "objpos", None)
    x, y, scale = _number(position, "x"), _number(position, "y"), _number(rect, "scale")
    if x is None or y is None or scale is None or scale <= 0:
        return "no position or scale"
    corners = [_number(rect, field) for field in ("x1", "y1", "x2", "y2")]
    x1, y1, x2, y2 = (math.nan if corner is None else corner for corner in corners)
    head_size = HEAD_SHARE * math.hypot(x2 - x1, y2 - y1)
    if not head_size > 0:
        return "no head box"
    return MpiiPerson(number, (x - 1, y - 1), scale, head_size, keypoints)


def _keypoints(rect: mat_struct, dropped: Counter[str]) -> np.ndarray:
    keypoints = np.zeros((len(KEYPOINTS), 3))
    for points in _structs(getattr(rect, "annopoints", None)):
        for point in _structs(getattr(points, "point", None)):
            keypoint, x, y = (_number(point, field) for field in ("id", "x", "y"))
            if keypoint is None or x is None or y is None:
                dropped["no id or no place"] += 1
            elif keypoint not in range(len(KEYPOINTS)):
                dropped["unknown id"] += 1
            elif keypoints[int(keypoint), 2]:
                dropped["labelled before"] += 1
            else:
                # Head top and neck come without the mark, and count as visible.
                occluded = _number(point, "is_visible") == 0
                keypoints[int(keypoint)] = x - 1, y - 1, 1 if occluded else 2
    return keypoints


def _structs(value: object) -> list[mat_struct]:
    """The structures of a Matlab array, whatever its number of entries became in reading."""
    return [item for item in np.ravel(np.asarray(value, dtype=object)) if isinstance(item, mat_struct)]


def _number(struct: Any, field: str) -> float | None:
    """A finite number, also one written as text; None where the field is missing, empty or anything else."""
    values = np.ravel(np.asarray(getattr(struct, field, None), dtype=object))
    try:
        number = float(values[0]) if len(values) == 1 else math.nan
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
