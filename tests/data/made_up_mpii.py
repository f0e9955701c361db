"""A small file of the structure of `mpii_human_pose_v1_u12_1.mat`, made by the same nesting of Matlab structures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.io import savemat

EMPTY = np.empty((0, 0))


def struct_array(records: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """A 1xN Matlab structure array; fields that a record lacks are empty, as Matlab has it."""
    fields = list(dict.fromkeys(name for record in records for name in record))
    array = np.empty((1, len(records)), dtype=[(name, object) for name in fields])
    for position, record in enumerate(records):
        for name in fields:
            array[0, position][name] = record.get(name, EMPTY)
    return array


def person(
    keypoints: Mapping[int, tuple[float, float, Any]],
    objpos: tuple[float, float] = (60.0, 50.0),
    scale: float = 0.4,
    head: tuple[float, float, float, float] = (50.0, 20.0, 62.0, 36.0),
) -> dict[str, Any]:
    """A record of `annorect`; keypoints by id as (x, y, is_visible), pixels from 1."""
    points = [{"x": x, "y": y, "id": keypoint, "is_visible": mark} for keypoint, (x, y, mark) in keypoints.items()]
    return {
        **dict(zip(("x1", "y1", "x2", "y2"), head, strict=True)),
        "scale": scale,
        "objpos": struct_array([{"x": objpos[0], "y": objpos[1]}]),
        "annopoints": struct_array([{"point": struct_array(points)}]) if points else EMPTY,
    }


def all_keypoints(x: float, y: float, step: float = 4.0) -> dict[int, tuple[float, float, Any]]:
    """Sixteen keypoints around a place, with the marks that the release has: texts, numbers, and none for 8 and 9."""
    marks = {8: EMPTY, 9: "", 0: "0", 1: 0, 2: "1"}
    return {j: (x + step * (j % 4), y + step * (j // 4), marks.get(j, 1)) for j in range(16)}


def write_release(path: Path, images: Sequence[tuple[str, bool, Sequence[Mapping[str, Any]]]]) -> Path:
    """Write a release of (file name, has public labels, persons)."""
    entries = [
        {
            "image": struct_array([{"name": name}]),
            "annorect": struct_array(persons) if persons else EMPTY,
            "frame_sec": EMPTY,
            "vididx": EMPTY,
        }
        for name, _, persons in images
    ]
    single_person = np.empty((len(images), 1), dtype=object)
    single_person[:, 0] = [np.array([[1.0]])] * len(images)
    release = {
        "annolist": struct_array(entries),
        "img_train": np.array([[int(train) for _, train, _ in images]], dtype=np.uint8),
        "single_person": single_person,
        "version": "12",
    }
    savemat(path, {"RELEASE": struct_array([release])})
    return path


def write_images(folder: Path, sizes_hw: Mapping[str, tuple[int, int]]) -> Path:
    """Write smooth images of given sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, (height, width)) in enumerate(sizes_hw.items()):
        noise = np.random.default_rng(number).integers(0, 255, (4, 4, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / name), cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC))
    return folder
