"""Read MPII's official annotation file, `mpii_human_pose_v1_u12_1.mat`.

Matlab counts pixels from 1: every coordinate here is one less, with 0 at the centre of the first pixel.
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
"""Keypoint names in the order of the file's ids 0 to 15."""

HEAD_SHARE = 0.6
"""PCKh's unit as a fraction of the head box's diagonal (SC_BIAS of the official evaluation)."""


@dataclass(frozen=True)
class MpiiPerson:
    """A person with the annotations needed for training and PCKh."""

    number: int
    """Position in the image's `annorect`, from 1."""
    centre_xy: tuple[float, float]
    """`objpos`, image pixels from 0."""
    scale: float
    """The person's height in units of 200 image pixels."""
    head_size: float
    """The unit of PCKh in image pixels."""
    keypoints: np.ndarray
    """[16, 3] float64: x, y in image pixels from 0 and v: 0 (not labelled), 1 (`is_visible` is 0) or 2."""


@dataclass(frozen=True)
class MpiiImage:
    """An image of the release and its usable persons."""

    number: int
    """Position in `annolist`, from 1."""
    file_name: str
    is_train: bool
    """The image is in MPII's training set, which has public labels."""
    persons: tuple[MpiiPerson, ...]


@dataclass(frozen=True)
class MpiiRelease:
    """The contents of the release file."""

    images: list[MpiiImage]
    dropped_persons: Counter[str]
    """Unusable persons of training images, by reason."""
    dropped_keypoints: Counter[str]
    """Unusable keypoints of training images, by reason."""


def read_release(path: Path) -> MpiiRelease:
    """Read the official file; persons and keypoints with missing or empty fields are dropped and counted.

    Raises:
        InputError: the file is missing, not a Matlab file, or not in MPII's structure; the entry is named.
    """
    release = _load(path)
    entries, is_train = _structs(getattr(release, "annolist", None)), np.ravel(getattr(release, "img_train", ()))
    if not entries or len(entries) != len(is_train):
        problem = f"annolist has {len(entries)} images, but img_train has {len(is_train)} entries"
        raise InputError(problem, file=path, record="RELEASE")
    result = MpiiRelease([], Counter(), Counter())
    for number, (entry, train) in enumerate(zip(entries, is_train.tolist(), strict=True), start=1):
        name = getattr(getattr(entry, "image", None), "name", None)
        if not isinstance(name, str) or not name:
            raise InputError("missing", file=path, record=f"annolist({number})", field="image.name")
        persons = _persons(entry, result) if train else ()
        result.images.append(MpiiImage(number, name, bool(train), persons))
    return result


def _load(path: Path) -> mat_struct:
    if not path.is_file():
        raise InputError("no such file", file=path)
    try:
        content = loadmat(path, appendmat=False, struct_as_record=False, squeeze_me=True, variable_names=["RELEASE"])
    except Exception as error:  # the reader raises many types for damaged files
        raise InputError(f"not a readable Matlab file: {error}", file=path) from None
    release = content.get("RELEASE")
    if not isinstance(release, mat_struct):
        raise InputError("missing; MPII's file is mpii_human_pose_v1_u12_1.mat", file=path, field="RELEASE")
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
    """Return the person, or the reason why it is dropped."""
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
                # Head top and neck have no `is_visible` and count as visible.
                occluded = _number(point, "is_visible") == 0
                keypoints[int(keypoint)] = x - 1, y - 1, 1 if occluded else 2
    return keypoints


def _structs(value: object) -> list[mat_struct]:
    """Return the structures of a Matlab array; scipy returns arrays of one entry as a scalar."""
    return [item for item in np.ravel(np.asarray(value, dtype=object)) if isinstance(item, mat_struct)]


def _number(struct: Any, field: str) -> float | None:
    """Return a field as a finite number (text is converted); None if it is missing, empty or not a number."""
    values = np.ravel(np.asarray(getattr(struct, field, None), dtype=object))
    try:
        number = float(values[0]) if len(values) == 1 else math.nan
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
